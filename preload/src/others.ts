// What the early part calls for everything but files.
export { tameMentioned } from "./mentioned.ts";
export { openDatagrams } from "./datagrams.ts";
export { decideConnection } from "./fetch-rules.ts";
export { decideAddress } from "./net-rules.ts";
export {
  checkFetch,
  checkServer,
  checkSocket,
  checkUrl,
  checkWebSocket,
  parse,
  refuseDatagrams,
} from "./network.ts";
export { tameDns, tameNet, tameRequests } from "./node-net.ts";
export { tameRare } from "./rare.ts";
export { isRequested, request } from "./requests.ts";
export { openSocket } from "./sockets.ts";
export { tameBunSqlite, tameNodeSqlite } from "./sqlite.ts";
export { checkCommand, refuseCommand, tameFfi, tameOs, tameV8 } from "./system.ts";
export { refusedDestination } from "./unreachable.ts";
export { checkWorker, tameWorkerThreads } from "./worker.ts";
