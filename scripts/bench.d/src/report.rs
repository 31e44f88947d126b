//! Times to table.

use std::fmt::Write;
use std::time::Duration;

use crate::overhead::Pair;

/// The table: one line per name, each with its ratio to the first, whose times are the reference.
pub(crate) fn table(names: &[&str], times: &[Vec<Duration>]) -> String {
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let mut text = format!("{:width$}  median ms     p10     p90   ratio\n", "");
    let mut reference = None;
    for (name, times) in names.iter().zip(times) {
        let times = sorted_ms(times);
        let median = quantile(&times, 0.5);
        let reference = *reference.get_or_insert(median);
        let (p10, p90, ratio) = (quantile(&times, 0.1), quantile(&times, 0.9), median / reference);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:width$}  {median:9.2} {p10:7.2} {p90:7.2} {ratio:6.2}x");
    }
    text
}

/// Above the lines of [`overhead_line`].
pub(crate) const OVERHEAD_HEAD: &str =
    "workload                           bare /s  inside /s   ratio     p10     p90   ratio of CPU time";

/// One workload: the medians, and the ratios of the pairs, inside to bare. Each pair was measured at one time, so what
/// slows the machine down for a while slows both.
pub(crate) fn overhead_line(name: &str, pairs: &[Pair]) -> String {
    let sorted = |value: &dyn Fn(&Pair) -> f64| {
        let mut values: Vec<f64> = pairs.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let [bare, inside] = [sorted(&|pair| pair.0.clock), sorted(&|pair| pair.1.clock)];
    let clock = sorted(&|pair| pair.1.clock / pair.0.clock);
    let cpu = sorted(&|pair| pair.1.cpu / pair.0.cpu);
    let [p10, ratio, p90] = [0.1, 0.5, 0.9].map(|fraction| quantile(&clock, fraction));
    format!(
        "{name:32} {:9.1}  {:9.1}  {ratio:5.3}x  {p10:5.3}x  {p90:5.3}x  {:5.3}x",
        quantile(&bare, 0.5),
        quantile(&inside, 0.5),
        quantile(&cpu, 0.5),
    )
}

fn sorted_ms(times: &[Duration]) -> Vec<f64> {
    let mut times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// The value at a fraction of the way through sorted values, interpolated between its neighbours.
pub(crate) fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a bench has far fewer than 2^52 rounds")]
    let position = fraction * (sorted.len() - 1) as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the length")]
    let below = position as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * position.fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overhead::Rate;

    #[test]
    fn quantiles_lie_between_the_values_around_them() {
        let values: Vec<f64> = (0..=10).map(f64::from).collect();
        assert!((quantile(&values, 0.5) - 5.0).abs() < 1e-9);
        assert!((quantile(&values, 0.1) - 1.0).abs() < 1e-9);
        assert!((quantile(&[1.0, 2.0], 0.5) - 1.5).abs() < 1e-9);
        assert!((quantile(&[7.0], 0.9) - 7.0).abs() < 1e-9);
    }

    #[test]
    fn throughput_is_compared_pair_by_pair() {
        let rate = |clock| Rate { clock, cpu: clock };
        // The machine was twice as fast in the second round.
        let line = overhead_line("work", &[(rate(100.0), rate(90.0)), (rate(200.0), rate(180.0))]);
        let columns: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(columns, ["work", "150.0", "135.0", "0.900x", "0.900x", "0.900x", "0.900x"]);
    }

    #[test]
    fn ratios_are_to_the_first_line() {
        let ms = |n: u64| vec![Duration::from_millis(n); 10];
        let table = table(&["bare", "sandbox"], &[ms(4), ms(6)]);
        let columns: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(columns[1], ["bare", "4.00", "4.00", "4.00", "1.00x"]);
        assert_eq!(columns[2], ["sandbox", "6.00", "6.00", "6.00", "1.50x"]);
    }
}
