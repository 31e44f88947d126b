# Makes sockets of every kind that leads past TCP, and asks for other ways to the kernel.
import ctypes, errno, socket, sys

libc = ctypes.CDLL(None, use_errno=True)


def attempt(name, act):
    try:
        outcome = act() or "made"
    except OSError as error:
        outcome = errno.errorcode.get(error.errno, error.errno)
    print(f"{name}: {outcome}", flush=True)


def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")


KINDS = {"stream": 1, "datagram": 2, "raw": 3, "rdm": 4, "seqpacket": 5, "dccp": 6, "packet": 10}
FAMILIES = {"unix": 1, "inet": 2, "inet6": 10, "netlink": 16, "packet": 17, "alg": 38, "vsock": 40, "smc": 43, "xdp": 44}
ALLOWED = {("unix", "stream"), ("inet", "stream"), ("inet", "datagram"), ("inet6", "stream"), ("inet6", "datagram")}
made = set()
for family, number in FAMILIES.items():
    for kind, type in KINDS.items():
        try:
            libc_fd = libc.socket(number, type, 0)
            if libc_fd >= 0:
                made.add((family, kind))
            elif ctypes.get_errno() != errno.EAFNOSUPPORT and "strict" in sys.argv:
                print(family, kind, errno.errorcode[ctypes.get_errno()])
        except OSError:
            pass
print("beyond:", sorted(made - ALLOWED) if "strict" in sys.argv else len(made - ALLOWED) > 2)
print("missing:", sorted(ALLOWED - made))
for name, protocol in [("mptcp", 262), ("sctp", 132), ("udplite", 136), ("icmp", 1)]:
    for type in (1, 2):
        if "strict" in sys.argv:
            attempt(f"{name} {type}", lambda: socket.socket(2, type, protocol) and None)
for type in (2, 5):
    attempt(f"pair {type}", lambda: socket.socketpair(socket.AF_UNIX, type) and None)
ring = ctypes.create_string_buffer(120)
attempt("io_uring", lambda: call(425, 4, ring))


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


allow = ctypes.create_string_buffer(b"\x06\0\0\0\0\0\xff\x7f", 8)
program = Program(1, ctypes.addressof(allow))
libc.prctl(38, 1, 0, 0, 0)
attempt("a listener of one's own", lambda: call(317, 1, 8, ctypes.byref(program)))
