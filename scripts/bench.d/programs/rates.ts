// Does one workload again and again for some time, and prints how often per second on the clock, and how often per
// second of CPU time, which others on the machine influence less.
// Start-up is over when the clock starts; a first share of the time warms up and does not count.

/** Does a fixed amount of work; what it gives keeps the engine from leaving the work out. */
export type Workload = () => number | Promise<number>;

async function rates(work: Workload, milliseconds: number): Promise<{ clock: number; cpu: number }> {
  const until = async (end: number) => {
    let times = 0;
    let kept = 0;
    while (performance.now() < end) {
      kept ^= await work();
      times++;
    }
    return { times, kept };
  };
  await until(performance.now() + milliseconds / 2);
  const [start, used] = [performance.now(), process.cpuUsage()];
  const { times, kept } = await until(start + milliseconds);
  const { user, system } = process.cpuUsage(used);
  const seconds = (performance.now() - start) / 1000;
  // Never true: what the work gave is used.
  if (kept === 0.5) console.log(kept);
  return { clock: times / seconds, cpu: (times / (user + system)) * 1e6 };
}

/** Does what the command line names: `WORKLOAD MILLISECONDS`, or `--list`. */
export async function measure(workloads: Record<string, Workload>): Promise<void> {
  const [name = "", milliseconds = ""] = process.argv.slice(2);
  if (name === "--list") {
    console.log(Object.keys(workloads).join("\n"));
    return;
  }
  const work = workloads[name];
  if (work === undefined) throw new Error(`no such workload: ${name}`);
  console.log(JSON.stringify(await rates(work, Number(milliseconds))));
}
