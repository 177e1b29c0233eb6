"""A local server for a built site."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from metairl.core.errors import StorageError


def serve(folder: Path, port: int) -> int:
    if not (folder / "index.html").exists():
        raise StorageError(f"{folder}: no site was built there; metairl board build --out {folder}")
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}/", flush=True)
        server.serve_forever()
    return 0
