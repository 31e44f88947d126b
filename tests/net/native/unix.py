# Connects to a unix socket by its path and to an abstract one, in every way there is.
import errno, socket, sys

path, abstract = sys.argv[1], "\0" + sys.argv[2]


def attempt(name, act):
    try:
        act()
        print(f"{name}: connected")
    except OSError as error:
        print(f"{name}: {errno.errorcode[error.errno]}")


for name, to in [("path", path), ("abstract", abstract)]:
    attempt(name, lambda: socket.socket(socket.AF_UNIX).connect(to))
attempt("bound", lambda: socket.socket(socket.AF_UNIX).bind("\0mine"))
attempt("unnamed", lambda: socket.socket(socket.AF_UNIX).bind(""))
attempt("in the folder", lambda: socket.socket(socket.AF_UNIX).bind(path + ".mine"))
