// What native code can do with sockets of the host's network. Prints one line for each act.
import { call, text } from "./native.ts";

const [granted, other, free, datagrams, socketPath] = process.argv.slice(2);
const SYS = { write: 1, read: 0, close: 3, socket: 41, connect: 42, sendto: 44, bind: 49, listen: 50, setsockopt: 54, dup: 32, getpeername: 52 };
const STREAM = 1, DATAGRAM = 2, RAW = 3, UNIX = 1, INET = 2, INET6 = 10, NETLINK = 16, PACKET = 17, VSOCK = 40;
const FAST_OPEN = 0x2000_0000;
const NAMES: Record<number, string> = { 1: "EPERM", 9: "EBADF", 13: "EACCES", 14: "EFAULT", 22: "EINVAL", 32: "EPIPE", 88: "ENOTSOCK", 92: "ENOPROTOOPT", 95: "EOPNOTSUPP", 97: "EAFNOSUPPORT", 98: "EADDRINUSE", 106: "EISCONN", 107: "ENOTCONN", 111: "ECONNREFUSED" };

const internet = (port: number | string, address = [127, 0, 0, 1]) => {
  const bytes = new Uint8Array(16);
  bytes.set([INET, 0, Number(port) >> 8, Number(port) & 255, ...address]);
  return bytes;
};
const unix = (name: string) => Uint8Array.from([UNIX, 0, ...Buffer.from(name)]);
const socket = (family = INET, kind = STREAM) => call(SYS.socket, family, kind, 0);
const connect = (fd: number, to: Uint8Array, length = to.length) => call(SYS.connect, fd, to, length);
const said = (answer: number) => (answer >= 0 ? "done" : (NAMES[-answer] ?? String(answer)));

/** Which server answers on a socket. */
function whose(fd: number): string {
  const request = text("GET /which HTTP/1.1\r\nhost: a\r\n\r\nGET /end HTTP/1.1\r\n\r\n");
  const sent = call(SYS.write, fd, request, request.length - 1);
  if (sent < 0) return said(sent);
  const peer = new Uint8Array(16), length = new Uint32Array([16]);
  call(SYS.getpeername, fd, peer, length);
  const port = String((peer[2]! << 8) | peer[3]!);
  return port === granted ? "the granted one" : port === other ? "the other one" : `port ${port}`;
}

function act(what: string, answer: () => number | string) {
  const answered = answer();
  console.log(`${what}: ${typeof answered === "number" ? said(answered) : answered}`);
}

const connected = (port: string) => {
  const fd = socket();
  const answer = connect(fd, internet(port));
  return answer < 0 ? said(answer) : whose(fd);
};
act("the granted server", () => connected(granted!));
act("the other one", () => connected(other!));
act("another address of the machine", () => connect(socket(), internet(other!, [127, 0, 0, 2])));
const used = socket();
connect(used, internet(granted!));
act("a connection is dissolved", () => connect(used, new Uint8Array(16)));
act("and made again to the other", () => { const answer = connect(used, internet(other!)); return answer < 0 ? said(answer) : whose(used); });
const copied = socket(), copy = call(SYS.dup, copied);
act("by a copy of a descriptor", () => { connect(copied, internet(granted!)); return whose(copied); });
act("by a copy, the other", () => { const answer = connect(copy, internet(other!)); return answer < 0 ? said(answer) : whose(copy); });
const packet = text("x");
act("data with the first packet", () => call(SYS.sendto, socket(), packet, 1, FAST_OPEN, internet(other!), 16));
act("data without a connection", () => call(SYS.sendto, socket(), packet, 1, 0x4000, internet(other!), 16));
act("connected with the first data", () => call(SYS.setsockopt, socket(), 6, 30, new Int32Array([1]), 4));
act("listening nowhere in particular", () => call(SYS.listen, socket(), 1));
act("listening at a port that is not granted", () => { const fd = socket(); const bound = call(SYS.bind, fd, internet(0), 16); return bound < 0 ? bound : call(SYS.listen, fd, 1); });
act("listening at all addresses of it", () => call(SYS.bind, socket(), internet(0, [0, 0, 0, 0]), 16));
const server = socket();
act("bound to the granted port", () => call(SYS.bind, server, internet(free!), 16));
act("listening there", () => call(SYS.listen, server, 1));
act("connected to itself", () => connect(socket(), internet(free!)));
act("listening with a connection", () => { const fd = socket(); connect(fd, internet(granted!)); return call(SYS.listen, fd, 1); });
act("a datagram", () => { const fd = socket(INET, DATAGRAM); return fd < 0 ? fd : call(SYS.sendto, fd, packet, 1, 0, internet(datagrams!), 16); });
act("a datagram of the newer kind", () => socket(INET6, DATAGRAM));
act("a raw socket", () => call(SYS.socket, INET, RAW, 1));
act("a route", () => socket(NETLINK, RAW));
act("packets", () => socket(PACKET, RAW));
act("a virtual machine", () => socket(VSOCK, STREAM));
act("a unix socket by its path", () => connect(socket(UNIX), unix(socketPath + "\0")));
act("an abstract one", () => connect(socket(UNIX), unix("\0" + socketPath)));
act("a unix socket of one's own", () => call(SYS.bind, socket(UNIX), unix(socketPath + ".own\0"), socketPath!.length + 7));
act("a length that is none", () => connect(socket(), internet(granted!), 129));
act("no socket", () => connect(1000, internet(granted!)));
