//! A program that runs functions of its users, each call in a Bun and a sandbox of its own:
//! `SECURE_BUN_BUN=$(scripts/bun) cargo run -p secure-bun --example service`

use secure_bun::host::Search;
use secure_bun::policy::{Chain, Layer, Policy, Preset};
use secure_bun::service::{Engine, Service, Settings};
use secure_bun::wire::rpc::{Call, Function, Register};

const FUNCTION: &str = "export default (name: string) => { console.log('greeting', name); return `Hello, ${name}!`; }";

#[tokio::main(flavor = "multi_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let preset = Chain::new(Layer::preset(Preset::Function))?.into_layers();
    let service = Service::new(Settings {
        policy: Policy::merge(&preset),
        search: Search {
            variable: std::env::var_os("SECURE_BUN_BUN"),
            path: std::env::var_os("PATH"),
            ..Search::default()
        },
        launcher: None,
        concurrency: 4,
        queue: 64,
        engine: Engine::default(),
        notices: None,
    })?;
    service.register(Register::of("greet", Function::Source(FUNCTION.to_owned()))).map_err(|fault| fault.message)?;

    let calls = ["Ada", "Grace", "Edsger"].map(|name| {
        let service = service.clone();
        tokio::spawn(async move {
            let args = format!("[{name:?}]");
            service.call(Call::of(Function::Named("greet".to_owned()), args)).await
        })
    });
    for call in calls {
        let envelope = call.await?.map_err(|fault| fault.message)?;
        println!("{}", envelope.to_line());
    }
    Ok(())
}
