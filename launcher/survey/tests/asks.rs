//! What each way to write something is taken for.

use survey::{Resource, Survey, survey};

fn found(text: &str) -> Survey {
    survey("main.ts", text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What a text asks for, as `read ./a` or, for a path beside the file, `read beside a`.
fn asks(text: &str) -> Vec<String> {
    let words = found(text).asks.into_iter().map(|ask| match ask.resource {
        Resource::Named(name) => format!("{} {name}", ask.permission),
        Resource::Beside(name) => format!("{} beside {name}", ask.permission),
        Resource::Whole => ask.permission.to_string(),
        Resource::Computed => format!("{} ?", ask.permission),
    });
    words.collect()
}

#[track_caller]
fn holds(cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        assert_eq!(asks(text), *expected, "{text}");
    }
}

#[test]
fn files_by_every_name_of_their_module() {
    holds(&[
        ("import fs from 'fs'; fs.readFileSync('./a')", &["read ./a"]),
        ("import * as fs from 'node:fs'; fs.promises.readFile(`./a`)", &["read ./a"]),
        ("import { readFile as r } from 'node:fs/promises'; r('./a')", &["read ./a"]),
        ("import { promises as p } from 'fs'; p.readdir('./a')", &["read ./a"]),
        ("const fs = require('fs'); fs['readFile']('./a')", &["read ./a"]),
        ("const { writeFile: w } = require('fs').promises; w('./a', '')", &["write ./a"]),
        ("const fs = await import('node:fs'); fs.rmSync('./a')", &["write ./a"]),
        ("import fs from 'fs'; const { readFile } = fs; readFile('./a')", &["read ./a"]),
        ("readFile('./a')", &[]),
        ("import { readFile } from './own.ts'; readFile('./a')", &[]),
    ]);
}

#[test]
fn reading_is_told_from_writing() {
    holds(&[
        ("import fs from 'fs'; fs.openSync('./a')", &["read ./a"]),
        ("import fs from 'fs'; fs.openSync('./a', 'w')", &["write ./a"]),
        ("import fs from 'fs'; fs.cpSync('./a', './b')", &["read ./a", "write ./b"]),
        ("import fs from 'fs'; fs.renameSync('./a', './b')", &["write ./a", "write ./b"]),
        ("Bun.file('./a').text()", &["read ./a"]),
        ("import { file, write } from 'bun'; file('./a'); write('./b', '')", &["read ./a", "write ./b"]),
        ("Bun.write('./a', '')", &["write ./a"]),
        ("Bun.write(Bun.stdout, '')", &[]),
        ("Bun.file('./a').writer()", &["write ./a", "read ./a"]),
        ("import { Database } from 'bun:sqlite'; new Database('./a.db'); new Database(':memory:')", &["write ./a.db"]),
        ("import fs from 'fs'; fs.writeSync(1, 'x'); fs.writeFileSync(1, 'x')", &[]),
    ]);
}

#[test]
fn paths_that_stand_in_the_text_and_those_that_do_not() {
    holds(&[
        ("const FILE = './a'; Bun.file(FILE)", &["read ./a"]),
        ("let file = './a'; Bun.file(file)", &["read ?"]),
        ("const a = './a'; { const a = './b'; Bun.file(a) }", &["read ?"]),
        ("Bun.file(process.argv[2])", &["read ?"]),
        ("Bun.file(`./a/${name}`)", &["read ?"]),
        ("Bun.file(import.meta.dir + '/a')", &["read beside a"]),
        ("Bun.file(`${import.meta.dirname}/a`)", &["read beside a"]),
        ("Bun.file(new URL('./a', import.meta.url))", &["read beside ./a"]),
        ("import { join } from 'path'; Bun.file(join(__dirname, 'a', 'b'))", &["read beside a/b"]),
        ("import path from 'path'; Bun.file(path.join('a', 'b'))", &["read a/b"]),
        ("import path from 'path'; Bun.file(path.join('a', name))", &["read ?"]),
    ]);
}

#[test]
fn the_network() {
    holds(&[
        ("fetch('https://api.example.com/v1')", &["net api.example.com:443"]),
        ("fetch(`http://x.test:81/${id}`)", &["net x.test:81"]),
        ("fetch(`http://${host}/`)", &["net ?"]),
        ("fetch('http://x.' + rest)", &["net ?"]),
        ("const API = 'https://x.test'; fetch(API)", &["net x.test:443"]),
        ("globalThis.fetch(new URL('https://x.test/a'))", &["net x.test:443"]),
        ("new WebSocket('wss://x.test/s')", &["net x.test:443"]),
        ("import https from 'https'; https.get({ hostname: 'x.test' })", &["net x.test:443"]),
        ("import net from 'net'; net.connect(5432, 'db.test')", &["net db.test:5432"]),
        ("Bun.connect({ hostname: 'db.test', port: 6379, socket: {} })", &["net db.test:6379"]),
        ("Bun.udpSocket({ connect: { hostname: 'stats.test', port: 8125 } })", &["net udp://stats.test:8125"]),
        ("Bun.udpSocket({ connect: { hostname, port: 8125 } })", &["net ?"]),
        ("Bun.udpSocket({ port: 8125 })", &[]),
    ]);
}

#[test]
fn servers() {
    holds(&[
        ("Bun.serve({ port: 8080, fetch() {} })", &["listen 8080"]),
        ("Bun.serve({ fetch() {} })", &["listen 3000"]),
        ("Bun.serve({ port: Number(process.env.PORT) })", &["listen ?", "env PORT"]),
        ("Bun.serve({ hostname: '127.0.0.1', port: 1 })", &["listen 127.0.0.1:1"]),
        ("import express from 'express'; express().listen(4000)", &["listen 4000"]),
        ("export default { port: 5000, fetch() {} }", &["listen 5000"]),
    ]);
}

#[test]
fn the_environment() {
    holds(&[
        ("process.env.A; Bun.env.B; import.meta.env.C; process.env['D']", &["env A", "env B", "env C", "env D"]),
        ("const { A, B: b = 1 } = process.env", &["env A", "env B"]),
        ("const env = process.env; env.A", &["env A"]),
        ("import { env } from 'node:process'; env.A", &["env A"]),
        ("process.env[name]", &["env ?"]),
        ("start({ ...process.env })", &["env ?"]),
        ("process.env.A?.split(',')", &["env A"]),
    ]);
}

#[test]
fn programs_workers_code_and_facts() {
    holds(&[
        ("Bun.spawn(['git', 'log'])", &["run git"]),
        ("Bun.spawnSync({ cmd: ['git'] })", &["run git"]),
        ("import { spawn } from 'child_process'; spawn('git', [])", &["run git"]),
        ("import { execSync } from 'child_process'; execSync('git log | head')", &["run sh", "run git"]),
        ("import { $ } from 'bun'; await $`git status ${x}`", &["run git"]),
        ("new Worker('./w.ts')", &["workers"]),
        ("eval('1'); new Function('1')", &["eval", "eval"]),
        ("import vm from 'vm'; vm.runInNewContext('1')", &["eval"]),
        ("import { dlopen } from 'bun:ffi'; dlopen('./x.so', {})", &["ffi ./x.so"]),
        ("import os from 'os'; os.hostname(); os.totalmem()", &["sys hostname", "sys memory"]),
        ("await secrets.get('KEY')", &["secrets KEY"]),
    ]);
}

#[test]
fn imports_by_every_form_and_no_types() {
    let text = "import a from './a.ts';\nimport type { T } from './t.ts';\nexport * from './b.ts';\n\
                export { c } from './c.ts';\nawait import('./d.ts');\nrequire('./e.cjs');\nnew Worker('f.ts');\n\
                await import(name);\n";
    let survey = found(text);
    let specifiers: Vec<&str> = survey.imports.iter().map(|import| import.specifier.as_str()).collect();
    assert_eq!(specifiers, ["./a.ts", "./b.ts", "./c.ts", "./d.ts", "./e.cjs", "./f.ts"]);
    let lines: Vec<usize> = survey.imports.iter().map(|import| import.line).collect();
    assert_eq!(lines, [1, 3, 4, 5, 6, 7]);
    assert_eq!(asks(text), ["workers", "import ?"]);
}

#[test]
fn a_function_file_is_known() {
    for (text, expected) in [
        ("export default (x) => x", true),
        ("export default async function main() {}", true),
        ("function main() {}\nexport default main", true),
        ("export default class {}", false),
        ("export default { fetch() {} }", false),
        ("export const x = 1", false),
    ] {
        assert_eq!(found(text).exports_function, expected, "{text}");
    }
}

#[test]
fn every_language_of_bun_is_read_by_its_name() {
    for (name, text) in [
        ("a.js", "const a = <p/>; Bun.file('./a')"),
        ("a.cjs", "if (x) { return } Bun.file('./a')"),
        ("a.mts", "const a = <string>b; Bun.file('./a' as string)"),
        ("a.tsx", "const a = <p/>; Bun.file('./a' satisfies string)"),
    ] {
        let survey = survey(name, text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(survey.asks.len(), 1, "{name}");
    }
    assert!(survey::is_program("x.ts") && !survey::is_program("x.json"));
}

#[test]
fn what_is_no_program_says_where() {
    let error = survey("main.ts", "const a = 1;\nconst = 2;\n").unwrap_err();
    assert_eq!(error.line, 2, "{error}");
    assert_eq!(survey("main.js", "\n1.b; eval('1')").unwrap_err().line, 2);
}
