//! Grants, denials and limits of the command line.

use policy::{Colour, Flags, Permission, Policy, Request, Side, decide};

use crate::places;

fn problems(flags: Flags) -> Vec<String> {
    flags.into_layer().unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_flag_grants_everything_or_a_list() {
    let mut flags = Flags::new("/cwd");
    flags.state(Side::Allow, Permission::Read, Some("./a,/b"), "-R=./a,/b");
    flags.state(Side::Allow, Permission::Read, Some("c"), "--allow-read=c");
    flags.state(Side::Allow, Permission::Env, None, "--allow-env");
    flags.state(Side::Deny, Permission::Env, Some("KEY"), "--deny-env=KEY");
    flags.state(Side::Allow, Permission::Workers, Some("3"), "--allow-workers=3");
    flags.state(Side::Allow, Permission::Eval, None, "--allow-eval");
    flags.state(Side::Allow, Permission::Listen, Some("3000,8000-8010"), "--allow-listen=3000,8000-8010");
    let policy = Policy::merge([&flags.into_layer().unwrap()]).expand(&places());

    let rule = |request: Request| {
        let decision = decide(&policy, &request);
        (decision.allowed, decision.rule.to_string())
    };
    assert_eq!(rule(Request::Read("/cwd/a/x".into())), (true, "allow.read \"./a\" (-R=./a,/b)".to_owned()));
    assert_eq!(rule(Request::Read("/b".into())), (true, "allow.read \"/b\" (-R=./a,/b)".to_owned()));
    assert_eq!(rule(Request::Read("/cwd/c".into())), (true, "allow.read \"c\" (--allow-read=c)".to_owned()));
    assert_eq!(rule(Request::Env("A".into())), (true, "allow.env true (--allow-env)".to_owned()));
    assert_eq!(rule(Request::Env("KEY".into())), (false, "deny.env \"KEY\" (--deny-env=KEY)".to_owned()));
    assert_eq!(rule(Request::Workers(3)), (true, "allow.workers \"3\" (--allow-workers=3)".to_owned()));
    assert!(!rule(Request::Workers(4)).0);
    assert_eq!(rule(Request::Eval), (true, "allow.eval true (--allow-eval)".to_owned()));
    assert!(rule(Request::Listen { host: "0.0.0.0".into(), port: 8010 }).0);
}

#[test]
fn limits_have_units() {
    let mut flags = Flags::new("/cwd");
    let typed =
        "wall=5s,cpu=500ms,memory=2gb,stack=1MB,tmp=2048kb,file=3mb,output=64kb,threads=16,open-files=64,processes=2";
    flags.limit(typed, "--limit");
    let limits = flags.into_layer().unwrap().said().limits.values();
    assert_eq!(limits.wall_ms, Some(5000));
    assert_eq!(limits.cpu_ms, Some(500));
    assert_eq!(limits.memory_mb, Some(2048));
    assert_eq!(limits.stack_kb, Some(1024));
    assert_eq!(limits.tmp_mb, Some(2));
    assert_eq!(limits.file_mb, Some(3));
    assert_eq!(limits.output_kb, Some(64));
    assert_eq!(limits.threads, Some(16));
    assert_eq!(limits.open_files, Some(64));
    assert_eq!(limits.processes, Some(2));
}

#[test]
fn what_is_wrong_with_flags_is_said_together() {
    let mut flags = Flags::new("/cwd");
    flags.state(Side::Allow, Permission::Read, Some("a*,"), "-R=a*,");
    flags.state(Side::Allow, Permission::Workers, Some("many"), "--allow-workers=many");
    flags.limit("wall=5,memry=1gb,tmp=100kb,threads=3,x,cpu=99999999999999999999s,output=0kb", "--limit=…");
    assert_eq!(
        problems(flags),
        [
            "-R=a*,: a path cannot contain \"*\" (name the file or the folder: a folder covers everything below it)",
            "-R=a*,: the path is empty (write \".\" for the folder of this file)",
            "--allow-workers=many: allow.workers must be true, false or a number, not a string",
            "--limit=…: \"5\" is not a value of wall (write 500ms, 5s or 2m)",
            "--limit=…: there is no limit \"memry\" (did you mean memory?)",
            "--limit=…: \"100kb\" is not a whole number of units of limits.tmp_mb",
            "--limit=…: limits.threads must be from 8 to 32768",
            "--limit=…: \"x\" is not a limit (write wall=5s,memory=128mb)",
            "--limit=…: \"99999999999999999999s\" is not a value of cpu (write 500ms, 5s or 2m)",
            "--limit=…: limits.output_kb must be from 1 to 1048576",
        ]
    );
}

#[test]
fn a_problem_of_a_flag_is_shown_with_the_flag() {
    let mut flags = Flags::new("/cwd");
    flags.state(Side::Allow, Permission::Net, Some("example.com"), "--allow-net=example.com");
    let problem = &flags.into_layer().unwrap_err()[0];
    assert_eq!(
        problem.render(Colour::Off),
        "\
error: \"example.com\" has no port
--> --allow-net=example.com
 = help: write \"example.com:443\", or \"example.com:*\" for any port"
    );
}
