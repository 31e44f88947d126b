# Tries one thing after the other with sockets, and prints the outcome of each.
#   acts.py GRANTED OTHER LISTEN
# are ports of 127.0.0.1: a server that is granted, one that is not, and one that may be listened on.
import array, ctypes, errno, os, select, socket, struct, sys, threading

granted, other, may_listen = [("127.0.0.1", int(port)) for port in sys.argv[1:4]]
libc = ctypes.CDLL(None, use_errno=True)
TCP = (socket.AF_INET, socket.SOCK_STREAM)


def attempt(name, act):
    try:
        outcome = act()
    except OSError as error:
        outcome = errno.errorcode.get(error.errno, error.errno)
    print(f"{name}: {outcome}", flush=True)


def address(to):
    return struct.pack("=HH4s8x", socket.AF_INET, socket.htons(to[1]), socket.inet_aton(to[0]))


def connect(fd, place, length):
    # With all 64 bits of each argument as they are given here.
    call = libc.syscall
    call.restype = ctypes.c_long
    answer = call(ctypes.c_long(42), ctypes.c_ulong(fd), ctypes.c_void_p(place), ctypes.c_ulong(length))
    if answer < 0:
        raise OSError(ctypes.get_errno(), "")
    return "connected"


def connected(to=granted):
    made = socket.socket(*TCP)
    made.connect(to)
    return made


def peer(of):
    names = {granted[1]: "the granted one", other[1]: "the other one"}
    return names.get(of.getpeername()[1], of.getpeername())


def through(of):
    of.sendall(b"GET / HTTP/1.1\r\n\r\n")
    text = b""
    while b"hello" not in text:
        text += of.recv(4096) or b"hello, no more"
    return "nothing" if b"no more" in text else "hello"


attempt("the granted server", lambda: peer(connected()))
attempt("the other one", lambda: peer(connected(other)))


def unspecified():
    made = connected()
    nobody = ctypes.create_string_buffer(16)
    return connect(made.fileno(), ctypes.addressof(nobody), 16)


def reconnected():
    made = connected()
    try:
        unspecified_of(made)
    except OSError:
        pass
    made.connect(other)
    return peer(made)


def unspecified_of(made):
    nobody = ctypes.create_string_buffer(16)
    connect(made.fileno(), ctypes.addressof(nobody), 16)


attempt("a connection is dissolved", unspecified)
attempt("and made again to the other", reconnected)


def by_copy(to):
    made = socket.socket(*TCP)
    copy = made.dup()
    copy.connect(to)
    return peer(copy)


attempt("by a copy of a descriptor", lambda: by_copy(granted))
attempt("by a copy, the other", lambda: by_copy(other))


def handed_over():
    one, two = socket.socketpair()
    made = connected()
    one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [made.fileno()]))])
    _, [(_, _, data)], *_ = two.recvmsg(1, 64)
    received = socket.socket(fileno=array.array("i", data[:4])[0])
    print("handed over:", through(received))
    unspecified_of(received)
    received.connect(other)
    return peer(received)


attempt("handed over, to the other", handed_over)


def fast_open():
    made = socket.socket(*TCP)
    made.sendto(b"GET / HTTP/1.1\r\n\r\n", socket.MSG_FASTOPEN, other)
    return peer(made)


def fast_open_by_message():
    made = socket.socket(*TCP)
    made.sendmsg([b"GET / HTTP/1.1\r\n\r\n"], [], socket.MSG_FASTOPEN, other)
    return peer(made)


def fast_open_on_host():
    made = socket.socket(*TCP)
    made.setblocking(False)
    made.connect_ex((granted[0], may_listen[1]))
    select.select([], [made], [], 5)
    made.setblocking(True)
    made.sendto(b"GET / HTTP/1.1\r\n\r\n", socket.MSG_FASTOPEN, other)
    return peer(made)


def deferred():
    made = socket.socket(*TCP)
    made.setsockopt(socket.IPPROTO_TCP, 30, 1)
    made.connect(other)
    return peer(made)


attempt("data with the first packet", fast_open)
attempt("the same by a message", fast_open_by_message)
attempt("the same after a failure", fast_open_on_host)
attempt("connected with the first data", deferred)


def addressed():
    made = connected()
    made.sendto(b"GET / HTTP/1.1\r\n\r\n", 0, other)
    return peer(made)


attempt("data with another address", addressed)


def bound():
    made = socket.socket(*TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(may_listen)
    return made


attempt("bound, then connected", lambda: (made := bound()).connect(other) or peer(made))
attempt("bound, with an address", lambda: bound().sendto(b"x", 0, other))
attempt("bound twice", lambda: bound().bind(("127.0.0.1", 0)))


def after_the_end():
    made = connected()
    made.sendall(b"GET /end HTTP/1.1\r\n\r\n")
    while made.recv(4096):
        pass
    try:
        while True:
            made.sendall(b"x")
    except OSError:
        pass
    return made


def listening_again():
    made = after_the_end()
    made.listen()
    return "listens"


def connected_again():
    made = after_the_end()
    made.connect(other)
    return peer(made)


attempt("listening after the end", listening_again)
attempt("connecting after the end", connected_again)

buffer = ctypes.create_string_buffer(address(granted), 256)
place = ctypes.addressof(buffer)
for length in [0, 1, 2, 15, 16, 128, 129, 2**31, 2**32 - 1, 2**32 + 16]:
    attempt(f"a length of {length}", lambda: connect(socket.socket(*TCP).detach(), place, length))
attempt("no address at all", lambda: connect(socket.socket(*TCP).detach(), 0, 16))
attempt("one of the kernel's", lambda: connect(socket.socket(*TCP).detach(), 2**64 - 4096, 16))
attempt("no descriptor", lambda: connect(2**32 - 1, place, 16))
attempt("no socket", lambda: connect(0, place, 16))
attempt("port 0", lambda: connected(("127.0.0.1", 0)))
strange = ctypes.create_string_buffer(struct.pack("=H", 40), 16)
attempt("another family", lambda: connect(socket.socket(*TCP).detach(), ctypes.addressof(strange), 16))


def overwritten():
    # The socket's number is given to something else while the call is answered, again and again.
    made, null = socket.socket(*TCP), os.open("/dev/null", os.O_RDONLY)
    number = made.detach()
    stop = threading.Event()

    def overwrite():
        while not stop.is_set():
            os.dup2(null, number)
            os.dup2(socket_of_mine.fileno(), number)

    socket_of_mine = socket.socket(*TCP)
    thread = threading.Thread(target=overwrite)
    thread.start()
    wrong = 0
    for _ in range(1000):
        try:
            connect(number, place, 16)
        except OSError:
            pass
        try:
            wrong += socket.socket(fileno=os.dup(number)).getpeername()[1] != granted[1]
        except OSError:
            pass
    stop.set()
    thread.join()
    return f"{wrong} wrong"


attempt("overwritten while it waits", overwritten)
attempt("and still the granted server", lambda: through(connected()))
