# Exchanges thousands of datagrams over one connected socket, then connects many sockets at a time, time and again.
import errno, socket, sys

host, port, most = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def connected():
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(10)
    made.connect((host, port))
    return made


print("begins", flush=True)
sys.stdin.readline()
one = connected()
for number in range(10000):
    one.send(b"%d" % number)
    answer = one.recv(100)
    assert answer.endswith(b" %d" % number), answer
one.send(b"x" * 60000)
assert len(one.recv(70000)) > 60000
one.close()
print("exchanged", flush=True)
for turn in range(5):
    held = []
    try:
        while len(held) < most + 10:
            held.append(connected())
    except OSError as error:
        print(len(held), errno.errorcode[error.errno], flush=True)
    for made in held:
        made.send(b"still")
        assert made.recv(100).endswith(b"still")
    for made in held:
        made.close()
sys.stdin.readline()
