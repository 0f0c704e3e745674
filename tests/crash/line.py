#!/usr/bin/python3
"""line: passes connections on from one port of this machine to another, until it is killed; then all of them are cut.

usage: line.py FROM TO
"""
import socket
import sys
import threading


def carry(a, b):
    try:
        while piece := a.recv(65536):
            b.sendall(piece)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main(port, inner):
    with socket.create_server(("127.0.0.1", port)) as door:
        while True:
            client, _ = door.accept()
            try:
                server = socket.create_connection(("127.0.0.1", inner))
            except OSError:
                client.close()
                continue
            for pair in ((client, server), (server, client)):
                threading.Thread(target=carry, args=pair, daemon=True).start()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
