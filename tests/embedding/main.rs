//! The library within a program of several threads, as a service in Rust would have it.

use std::collections::HashSet;
use std::time::Duration;

use secure_bun::host::Search;
use secure_bun::policy::{Chain, Layer, Policy, Preset};
use secure_bun::service::{Engine, Service, Settings};
use secure_bun::wire::byte_arrays::{ByteArray, Bytes};
use secure_bun::wire::rpc::{Call, Code, Function, Register};
use secure_bun_tests::bun;

fn service(engine: Engine, concurrency: usize) -> Service {
    let preset = Chain::new(Layer::preset(Preset::Function)).expect("a preset").into_layers();
    Service::new(Settings {
        policy: Policy::merge(&preset),
        search: Search { flag: Some(bun().to_owned()), ..Search::default() },
        launcher: None,
        concurrency,
        queue: 64,
        engine,
        notices: None,
    })
    .expect("there is all that it takes")
}

fn source(text: &str) -> Function {
    Function::Source(text.to_owned())
}

const ENDLESS: &str = "export default () => new Promise((done) => setTimeout(done, 60_000))";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_from_many_tasks_at_a_time() {
    for engine in [Engine::Fork, Engine::Pool, Engine::Spawn] {
        let service = service(engine, 4);
        let code = "export default (n: number) => [n, process.pid, globalThis.left = (globalThis.left ?? 0) + 1]";
        service.register(Register::of("f", source(code))).expect("it can be registered");
        let calls: Vec<_> = (0..20)
            .map(|number| {
                let service = service.clone();
                tokio::spawn(async move {
                    let call = Call::of(Function::Named("f".to_owned()), format!("[{number}]"));
                    let envelope = service.call(call).await.expect("it is accepted");
                    (number, envelope.result.expect("it returns").get().to_owned())
                })
            })
            .collect();
        let mut processes = HashSet::new();
        for call in calls {
            let (number, result) = call.await.expect("it ends");
            let (n, pid, left): (u64, u64, u64) = serde_json::from_str(&result).expect("three numbers");
            assert_eq!((n, left), (number, 1));
            assert!(processes.insert(pid), "{pid} was called twice");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn byte_arrays_without_base64() {
    for engine in [Engine::Fork, Engine::Pool, Engine::Spawn] {
        let service = service(engine, 1);
        service.register(Register::of("back", source("export default (a: any) => ({ a })"))).expect("it is registered");
        let bytes: Bytes = (0_u8..=255).cycle().take(1 << 20).collect();
        let array = |at: &str| ByteArray { at: vec![at.to_owned()], bytes: bytes.clone() };
        let back = || Call { returns_bytes: true, ..Call::of(Function::Named("back".to_owned()), "[null]") };
        let envelope = service.call(Call { bytes: vec![array("0")], ..back() }).await.expect("it is accepted");
        assert_eq!(envelope.result.expect("it returns").get(), r#"{"a":null}"#);
        assert!(envelope.bytes == [array("a")], "{engine:?}");
        let misplaced = service.call(Call { bytes: vec![array("1")], ..back() }).await.unwrap_err();
        assert_eq!(misplaced.code, Code::Parameters);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_ends_with_its_future() {
    let service = service(Engine::Spawn, 1);
    let endless = service.call(Call::of(source(ENDLESS), "[]"));
    assert!(tokio::time::timeout(Duration::from_millis(200), endless).await.is_err());
    // Its place is free again.
    let next = service.call(Call::of(source("export default () => 1"), "[]")).await.expect("it is accepted");
    assert!(next.ok);
    assert_eq!(service.stats().calls.cancelled, 1);
    assert!(service.drain(Some(Duration::from_secs(10))).await);
}

#[tokio::test]
async fn what_is_never_started_is_a_fault() {
    let service = service(Engine::Spawn, 1);
    let unknown = service.call(Call::of(Function::Named("g".to_owned()), "[]")).await.unwrap_err();
    assert_eq!(unknown.code, Code::NoFunction);
    let missing = service.call(Call::of(Function::File("no-such-file.ts".to_owned()), "[]")).await.unwrap_err();
    assert_eq!(missing.code, Code::NotStarted);
}
