"""A registry on this machine, for the real npm and pip: an npm registry and a simple index."""

import base64
import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

Files = Mapping[str, bytes]


def npm_archive(files: Files, *more: tarfile.TarInfo) -> bytes:
    """Return a `.tgz` as npm packs it, with further members as they are."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in more:
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    return out.getvalue()


def wheel(name: str, version: str, files: Files) -> bytes:
    """Return a wheel that pip takes for whole."""
    out = io.BytesIO()
    info = f"{name}-{version}.dist-info"
    about = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(out, "w") as zipped:
        for path, content in {**files, **about}.items():
            zipped.writestr(path, content)
    return out.getvalue()


class Registry:
    """What is to be had: npm packages by name and version, and files of PyPI projects."""

    def __init__(self) -> None:
        self.npm: dict[str, dict[str, bytes]] = {}
        self.pypi: dict[str, dict[str, bytes]] = {}
        self.asked: list[str] = []
        self.url = ""

    def answer(self, path: str) -> bytes | None:
        """Return what a GET of that path gives."""
        self.asked.append(path)
        match [unquote(part) for part in path.strip("/").split("/")]:
            case ["npm", *name]:
                return self._package("/".join(name))
            case ["tgz", name, version]:
                return self.npm[name][version]
            case ["simple", name]:
                return self._index(name)
            case ["files", name, file]:
                return self.pypi[name][file]
        return None

    def _package(self, name: str) -> bytes | None:
        if name not in self.npm:
            return None
        versions = {}
        for version, archive in self.npm[name].items():
            digest = base64.b64encode(hashlib.sha512(archive).digest()).decode()
            url = f"{self.url}/tgz/{name.replace('/', '%2f')}/{version}"
            dist = {"tarball": url, "integrity": f"sha512-{digest}"}
            versions[version] = {"name": name, "version": version, "dist": dist}
        about = {"name": name, "dist-tags": {"latest": list(versions)[-1]}, "versions": versions}
        return json.dumps(about).encode()

    def _index(self, name: str) -> bytes | None:
        if name not in self.pypi:
            return None
        links = (f'<a href="/files/{name}/{file}">{file}</a>' for file in self.pypi[name])
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()


@contextmanager
def serving(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Serve a registry, and set npm and pip up for it alone, with what they keep in `folder`."""
    registry = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = registry.answer(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", "text/html" if "simple" in self.path else "any/any")
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    registry.url = f"http://127.0.0.1:{server.server_port}"
    for name, value in {
        "npm_config_registry": f"{registry.url}/npm/",
        "npm_config_cache": str(folder / "npm"),
        "npm_config_userconfig": str(folder / "npmrc"),
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_INDEX_URL": f"{registry.url}/simple",
        "PIP_FIND_LINKS": "",
        "PIP_NO_CACHE_DIR": "1",
        "TOKENIZE_LAB_CACHE": str(folder / "cache"),
        "no_proxy": "127.0.0.1",
    }.items():
        patch.setenv(name, value)
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
