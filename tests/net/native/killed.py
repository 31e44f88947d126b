# Children that are killed while they wait for a connection that nobody answers.
#   killed.py HOLE COUNT
import os, signal, socket, sys

hole, count = int(sys.argv[1]), int(sys.argv[2])
print("begins", flush=True)
sys.stdin.readline()


def end(child):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


# The one that has waited longest is killed when the next one begins: by then it does wait.
children = []
for _ in range(count):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        waiting = socket.socket()
        os.write(writer, b"x")
        waiting.connect(("127.0.0.1", hole))
        os._exit(0)
    os.read(reader, 1)
    os.close(reader)
    os.close(writer)
    children.append(child)
    if len(children) == 10:
        end(children.pop(0))
for child in children:
    end(child)
print("ended", flush=True)
sys.stdin.readline()
