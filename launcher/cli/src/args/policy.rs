//! `secure-bun policy …`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command as Clap};

use super::{Stop, flag, os, path, switch};

/// `secure-bun policy …`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// What would this program need?
    Init {
        /// The program.
        program: PathBuf,
        /// The preset to build on.
        extends: Option<String>,
        /// Into a file, instead of standard output.
        write: bool,
    },
    /// Is it valid?
    Check {
        /// File or preset.
        policy: OsString,
    },
    /// What does it come to?
    Show {
        /// File or preset.
        policy: OsString,
        /// With the place of each statement.
        origins: bool,
    },
    /// The JSON Schema of policies.
    Schema {
        /// Into a file, instead of standard output.
        write: bool,
    },
    /// Would this be allowed, by which rule, and what does the kernel make of it?
    Why {
        /// File or preset; without one, the policy that `run` would use.
        policy: Option<OsString>,
        /// The program it is asked for, which places like `${PROJECT}` depend on.
        program: Option<PathBuf>,
        /// The permission.
        permission: String,
        /// What it is about.
        resource: Option<String>,
    },
    /// What does the second allow that the first does not, and the reverse?
    Diff {
        /// File or preset.
        first: OsString,
        /// File or preset.
        second: OsString,
        /// The folder that relative paths of both files start from.
        base: Option<PathBuf>,
        /// As one line of JSON.
        json: bool,
    },
    /// Approvals of policies that came with a program.
    Trust(Trust),
}

/// `secure-bun policy trust …`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Approves a file.
    Approve(PathBuf),
    /// Takes an approval back.
    Remove(PathBuf),
    /// Lists the approvals.
    List,
}

pub(super) fn grammar(command: Clap) -> Clap {
    let named = |id: &'static str, value: &'static str| {
        Arg::new(id).value_name(value).required(true).value_parser(clap::value_parser!(OsString))
    };
    let policy = || named("policy", "FILE|PRESET");
    command
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand(
            Clap::new("init")
                .about("Propose a policy from what a program's text names")
                .arg(named("program", "PROGRAM"))
                .arg(flag("extends", "PRESET", "The preset to build on [default: function or script]"))
                .arg(switch("write", "Write secure-bun.jsonc, and the schema beside it, instead of printing")),
        )
        .subcommand(Clap::new("check").about("Is a policy valid?").arg(policy()))
        .subcommand(
            Clap::new("show")
                .about("What a policy comes to, with everything that it extends")
                .arg(policy())
                .arg(switch("origins", "With the place of each statement")),
        )
        .subcommand(
            Clap::new("schema")
                .about("The JSON Schema of policies, which editors complete and explain them by")
                .arg(switch("write", "Write policy.schema.json instead of printing")),
        )
        .subcommand(
            Clap::new("why")
                .about("Would this be allowed, by which rule, and what does the kernel make of it?")
                .arg(flag("policy", "FILE|PRESET", "The policy [default: the one that `run` would use]"))
                .arg(flag("program", "FILE", "The program that would do it"))
                .arg(Arg::new("permission").value_name("PERMISSION").required(true))
                .arg(Arg::new("resource").value_name("RESOURCE")),
        )
        .subcommand(
            Clap::new("diff")
                .about("What does the second policy allow that the first does not? Exits with 3 if there is anything")
                .arg(named("first", "FILE|PRESET"))
                .arg(named("second", "FILE|PRESET"))
                .arg(flag("base", "FOLDER", "Relative paths of both files start from here"))
                .arg(switch("json", "Say it as one line of JSON")),
        )
        .subcommand(
            Clap::new("trust")
                .about("Approve a policy that came with a program, so that it may grant more than the preset")
                .arg(named("file", "FILE").required(false).required_unless_present("list"))
                .arg(switch("remove", "Take the approval back").conflicts_with("list"))
                .arg(switch("list", "List the approvals").conflicts_with("file")),
        )
}

pub(super) fn read(matches: &ArgMatches) -> Result<Policy, Stop> {
    let Some((name, matches)) = matches.subcommand() else {
        return Err(Stop::usage("policy: which command? `secure-bun policy --help` lists them"));
    };
    let named = |id: &str| os(matches, id).unwrap_or_default();
    Ok(match name {
        "init" => Policy::Init {
            program: named("program").into(),
            extends: super::text(matches, "extends")?,
            write: matches.get_flag("write"),
        },
        "check" => Policy::Check { policy: named("policy") },
        "show" => Policy::Show { policy: named("policy"), origins: matches.get_flag("origins") },
        "schema" => Policy::Schema { write: matches.get_flag("write") },
        "why" => Policy::Why {
            policy: os(matches, "policy"),
            program: path(matches, "program"),
            permission: matches.get_one::<String>("permission").cloned().unwrap_or_default(),
            resource: matches.get_one::<String>("resource").cloned(),
        },
        "diff" => Policy::Diff {
            first: named("first"),
            second: named("second"),
            base: path(matches, "base"),
            json: matches.get_flag("json"),
        },
        _ if matches.get_flag("list") => Policy::Trust(Trust::List),
        _ if matches.get_flag("remove") => Policy::Trust(Trust::Remove(named("file").into())),
        _ => Policy::Trust(Trust::Approve(named("file").into())),
    })
}
