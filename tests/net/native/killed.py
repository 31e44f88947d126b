# Children that are killed while they wait for a connection that nobody answers.
#   killed.py HOLE COUNT
import os, signal, socket, sys

hole, count = int(sys.argv[1]), int(sys.argv[2])
print("begins", flush=True)
sys.stdin.readline()
for _ in range(count):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        waiting = socket.socket()
        os.write(writer, b"x")
        waiting.connect(("127.0.0.1", hole))
        os._exit(0)
    os.read(reader, 1)
    # It waits: on its processor others run.
    for _ in range(20):
        os.sched_yield()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)
print("ended", flush=True)
sys.stdin.readline()
