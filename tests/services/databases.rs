//! Databases.

use secure_bun_tests::Folder;

use super::{servers, the_same_inside};

#[test]
fn postgresql_by_pg_and_by_bun() {
    let server = servers::postgres();
    let program = r#"
import pg from "pg";
import { SQL } from "bun";
const port = Number(process.argv[2]);
const pool = new pg.Pool({ host: "localhost", port, user: "test", database: "postgres", max: 4 });
await pool.query("create temporary table lamps (id int, name text)");
const many = await Promise.all([1, 2, 3, 4].map((n) => pool.query("select $1::int * 2 as double", [n])));
console.log(many.map((result) => result.rows[0].double));
await pool.end();
const sql = new SQL(`postgres://test@localhost:${port}/postgres`);
console.log(await sql`select ${40} + 2 as answer`.then((rows) => rows[0].answer));
console.log((await sql`select n from generate_series(1, ${1000}::int) as n`).length);
await sql.close();
process.exit();
"#;
    let port = server.port.to_string();
    let printed = the_same_inside(Folder::new(), program, &[server.port], &[&port]);
    assert_eq!(printed, "[ 2, 4, 6, 8 ]\n42\n1000\n");
}

#[test]
fn redis_by_ioredis_and_by_bun() {
    let server = servers::redis();
    let program = r#"
import Redis from "ioredis";
import { RedisClient } from "bun";
const port = Number(process.argv[2]);
const redis = new Redis({ host: "localhost", port, maxRetriesPerRequest: 1, retryStrategy: () => null });
redis.on("error", () => {});
await redis.set("lamp", "lit");
console.log(await redis.get("lamp"), (await redis.pipeline().incr("n").del("n").exec()).length);
const [one, two] = [redis.duplicate(), redis.duplicate()];
await one.subscribe("news");
const heard = new Promise((resolve) => one.on("message", (_, text) => resolve(text)));
await two.publish("news", "told");
console.log(await heard);
for (const each of [redis, one, two]) each.disconnect();
const client = new RedisClient(`redis://localhost:${port}`, { autoReconnect: false });
console.log(await client.get("lamp"));
client.close();
process.exit();
"#;
    let port = server.port.to_string();
    let printed = the_same_inside(Folder::new(), program, &[server.port], &[&port]);
    assert_eq!(printed, "lit 2\ntold\nlit\n");
}
