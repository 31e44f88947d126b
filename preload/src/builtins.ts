// The routes to Node's and Bun's modules. A module is guarded in place when the program first asks for it, by
// whichever route, and before it is handed out; none is loaded before that.
import { tameFfi } from "./ffi.ts";
import { tameFs } from "./fs.ts";
import { tameDns, tameNet } from "./node-net.ts";
import { append, apply, defineProperty, indexOf, substring } from "./primordials.ts";
import { tameOs, tameV8 } from "./process.ts";
import { tameBunSqlite, tameNodeSqlite } from "./sqlite.ts";
import { tameWorkerThreads } from "./worker.ts";

const { getBuiltinModule } = process;
const load = (name: string) => apply(getBuiltinModule, process, [name]) as never;
