# Sends and connects as each argument says, and prints what came of it.
#   connect:HOST:PORT  a new socket, connected; its datagram, and the answer
#   again:HOST:PORT    the last socket, connected once more
#   sendto:HOST:PORT   past the peer of the last socket
#   new:HOST:PORT      from a socket without a peer
#   dissolve           connects the last socket to nobody
import errno, socket, struct, sys

libc = __import__("ctypes").CDLL(None, use_errno=True)
AF_UNSPEC = struct.pack("=H14x", 0)
last = None


def name(error):
    return errno.errorcode.get(error.errno, "timeout")


def exchange(send):
    last.settimeout(2 if send is last.send else 0.3)
    try:
        send(b"hello")
        return last.recv(100).decode()
    except OSError as error:
        return name(error)


for word in sys.argv[1:]:
    act, _, place = word.partition(":")
    host, _, port = place.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if act in ("connect", "new"):
            last = socket.socket(family, socket.SOCK_DGRAM)
        if act in ("connect", "again"):
            last.connect((host, int(port)))
            peer = last.getpeername()[1]
            print(word, exchange(last.send), peer == int(port))
        elif act == "dissolve":
            libc.connect(last.fileno(), AF_UNSPEC, 16)
            print(word, exchange(last.send))
        else:
            print(word, exchange(lambda data: last.sendto(data, (host, int(port)))))
    except OSError as error:
        print(word, name(error))
