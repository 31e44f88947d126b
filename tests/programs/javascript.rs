//! Every API that starts programs works for those that are granted, and fails in its own way for the others.

use secure_bun_tests::{Folder, JSON};

use super::{granting, the_same_inside};

const STYLES: &str = "
    import * as cp from 'node:child_process';
    import { promisify } from 'node:util';
    const text = (output: { toString(): string } | null) => output?.toString();
    const emitted = (child: cp.ChildProcess) => new Promise((resolve, reject) => {
        let said = '';
        child.stdout!.on('data', data => said += data);
        child.on('error', reject).on('close', code => resolve(code + ' ' + said));
    });
    export const styles: Record<string, (program: string, ...args: string[]) => unknown> = {
        'Bun.spawn': async (...command) => new Response(Bun.spawn(command).stdout).text(),
        'Bun.spawn of an object': async (...cmd) => new Response(Bun.spawn({ cmd }).stdout).text(),
        'Bun.spawnSync': (...command) => text(Bun.spawnSync(command).stdout),
        'Bun.$': async (...command) => Bun.$`${command}`.quiet().text(),
        'spawn': (program, ...args) => emitted(cp.spawn(program, args)),
        'spawnSync': (program, ...args) => {
            const { error, stdout } = cp.spawnSync(program, args);
            if (error) throw error;
            return text(stdout);
        },
        'execFile': async (program, ...args) => (await promisify(cp.execFile)(program, args)).stdout,
        'execFileSync': (program, ...args) => text(cp.execFileSync(program, args)),
        'exec': async (...command) => (await promisify(cp.exec)(command.join(' '))).stdout,
        'execSync': (...command) => text(cp.execSync(command.join(' '))),
    };
";

const IN_EVERY_STYLE: &str = "
    import { styles } from './styles.ts';
    for (const [name, style] of Object.entries(styles)) console.log(name + ':', await style('echo', 'a', 'b'));
";

#[test]
fn granted_programs_in_every_style() {
    let folder = granting(r#"["echo", "sh"]"#, IN_EVERY_STYLE).file("styles.ts", STYLES);
    let ended = the_same_inside(&folder);
    assert_eq!(ended.stdout().matches("a b\n").count(), 10, "{ended}");
}

#[test]
fn other_programs_are_refused_in_every_style() {
    let source = "
        import { styles } from './styles.ts';
        delete styles['Bun.$'], delete styles.exec, delete styles.execSync;
        for (const [name, style] of Object.entries(styles)) {
            for (const program of ['ls', '/bin/ls']) {
                let said = 'nothing';
                try { await style(program); } catch (error) { said = `${error.name} ${error.code} ${error.fix}`; }
                console.log(name, said);
            }
        }";
    let folder = granting(r#"["echo"]"#, source).file("styles.ts", STYLES);
    let said = folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).prints();
    for line in said.lines() {
        assert!(line.contains("SecurityError ERR_ACCESS_DENIED allow.run: ["), "{said}");
    }
    assert_eq!(said.lines().count(), 14, "{said}");
}

/// What a shell is to run, the kernel judges.
#[test]
fn a_shell_says_that_it_found_nothing() {
    let source = "
        import { spawnSync } from 'node:child_process';
        const { status, stderr } = spawnSync('ls', { shell: true });
        console.log(status, stderr.toString());
        const { exitCode } = await Bun.$`ls-of-the-host`.quiet().nothrow();
        console.log(exitCode !== 0);";
    let folder = granting(r#"["sh"]"#, source);
    let said = folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).prints();
    assert!(said.starts_with("127 ") && said.contains("ls: not found") && said.ends_with("true\n"), "{said}");
}

#[test]
fn refusals_are_listed_with_their_rule() {
    let source = "export default () => { try { Bun.spawnSync(['tr']) } catch {} try { Bun.spawn(['ls']) } catch {} };";
    let folder = Folder::with("fn.ts", source)
        .file("policy.json", r#"{"run": {"allow": ["sh"], "deny": ["tr"]}, "limits": {"processes": 4}}"#);
    let envelope = folder.secure_bun(["run", JSON, "--policy", "policy.json", "fn.ts"]).envelope();
    let listed = |index: usize| {
        ["permission", "resource", "rule"].map(|field| envelope.text(&format!("/denials/{index}/{field}")).to_owned())
    };
    assert_eq!(listed(0), ["run", "tr", "deny.run \"tr\" (policy.json:1:36)"]);
    assert_eq!(listed(1), ["run", "ls", "default"]);
    assert_eq!(envelope.at("/sandbox/layers/namespaces").to_string(), r#"["user","pid","mnt","net","ipc","uts"]"#);
}

#[test]
fn the_sandboxes_own_bun() {
    let source = "
        import { fork, execFileSync, execSync } from 'node:child_process';
        const code = `let said = 'read it'; try { require('fs').readFileSync('/etc/hostname') } catch (error) {
            said = error.name + ' ' + error.permission }; console.log(said, process.argv.length)`;
        console.log(execFileSync(process.execPath, ['-e', code]).toString());
        console.log(Bun.spawnSync(['bun', '-e', code]).stdout.toString());
        console.log(Bun.spawnSync(['bun', '-e', code], { env: process.env }).stdout.toString());
        console.log(execSync('bun other.ts').toString());
        const child = fork('./answer.ts');
        child.on('message', message => { console.log(message); child.kill(); });
        child.send('ping');";
    let folder = granting(r#"["bun", "sh"]"#, source)
        .file(
            "other.ts",
            "export default () => { throw new Error('this is nobody\\'s function to call') };\nconsole.log('other');",
        )
        .file("answer.ts", "process.on('message', message => process.send(message + ' pong'));");
    let said = folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).prints();
    assert_eq!(said, format!("{}other\n\nping pong\n", "SecurityError read 1\n\n".repeat(3)));
}

#[test]
fn bun_is_not_granted_with_others() {
    let source = "try { Bun.spawnSync([process.execPath, '-e', '1']); } catch (error) { console.log(error.message); }";
    let said = granting(r#"["sh"]"#, source).secure_bun(["run", "--policy", "policy.json", "main.ts"]).prints();
    assert!(said.starts_with("running \"/run/secure-bun/bin/bun\" is not allowed"), "{said}");
}
