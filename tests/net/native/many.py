# Many connections, one after the other and at once, some of which nobody ever answers.
#   many.py SERVER HOLE THOUSANDS
import socket, struct, sys, threading, time

server, hole, count = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])


def ask():
    with socket.create_connection(("127.0.0.1", server), 20) as connection:
        # No port of this machine is kept for a while.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        text = b""
        while b"hello" not in text:
            text += connection.recv(4096) or b"hello, no more"
        return b"no more" not in text


def fall():
    socket.socket().connect(("127.0.0.1", hole))


print("begins", ask(), flush=True)
sys.stdin.readline()
for thousands in range(1, count + 1):
    print(sum(ask() for _ in range(1000)) == 1000, thousands, flush=True)
sys.stdin.readline()
waiting = [socket.socket() for _ in range(150)]
for each in waiting:
    each.setblocking(False)
    each.connect_ex(("127.0.0.1", hole))
for _ in range(20):
    threading.Thread(target=fall, daemon=True).start()
good = []
threads = [threading.Thread(target=lambda: good.append(ask())) for _ in range(30)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("at once", sum(good), flush=True)
for each in waiting:
    each.close()
