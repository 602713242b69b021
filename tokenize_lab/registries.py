"""An archive of a package, fetched by the user's own npm or pip; nothing of it is built or run.

npm packs what the registry has and runs no script of it. pip downloads a wheel; it cannot hand out
a source archive without running the program in it, so where there are only those, the index that
pip is set up for is read here, and the archive taken as it is.
"""

import hashlib
import html
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import Request, urlopen

from corpora.errors import InputError

_LONGEST_SECONDS = 1800
_LONGEST_REASON = 200
_MOST_PAGE_BYTES, _MOST_ARCHIVE_BYTES = 64 << 20, 1 << 30
_NO_ANSWER = re.compile(
    r"ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ERR_SOCKET_TIMEOUT|EHOSTUNREACH"
    r"|ENETUNREACH|FETCH_ERROR|connection broken by|ConnectionError|ReadTimeoutError|timed out"
)
_SILENT = "the registry does not answer; look at the network"


def fetch(registry: str, package: str, version: str, folder: Path) -> tuple[Path, str]:
    """Fetch a package's archive into `folder`; return it and its version.

    Args:
        registry: `npm` or `pypi`. version: exact, or empty for the newest.

    Raises:
        InputError: the program that fetches is not there, or says why it could not.
    """
    label = f"{registry}:{package}{version and '@' + version}"
    if sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write(f"fetching {label} ...\n")
    take = _by_npm if registry == "npm" else _by_pip
    return take(package, version, folder, label)


def _by_npm(package: str, version: str, folder: Path, label: str) -> tuple[Path, str]:
    npm = shutil.which("npm")
    if npm is None:
        raise InputError(
            f"{label}: npm is not there to fetch it; install Node.js, or give a tokenizer's file"
        )
    # A name without a version could be that of a file or folder here.
    words = [npm, "pack", f"{package}@{version or 'latest'}", "--json", "--ignore-scripts"]
    words += ["--pack-destination", str(folder), "--fetch-timeout=60000", "--fetch-retries=1"]
    words += ["--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=2000"]
    done = _run(words, label)
    try:
        said = json.loads(done.stdout)
        failed = _npm_problem(said["error"]) if done.returncode else ""
        found = {} if failed else said[0]
        # The name of a scoped package's file was once given with its slash.
        name = "" if failed else str(found["filename"]).replace("@", "").replace("/", "-")
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(f"{label}: npm could not fetch it ({_last(done)})") from error
    if failed:
        raise InputError(f"{label}: {failed}")
    return _there(folder / name, label), str(found["version"])


def _npm_problem(error: dict[str, Any]) -> str:
    code, summary = str(error.get("code", "")), str(error.get("summary", ""))
    if code == "E404":
        return "the npm registry has no such package"
    if code == "ETARGET":
        return "the npm registry has no such version of it"
    if _NO_ANSWER.search(f"{code} {summary}"):
        return f"{_SILENT}, and at: npm config get registry"
    return f"npm could not fetch it ({_short(summary or code)})"


def _by_pip(package: str, version: str, folder: Path, label: str) -> tuple[Path, str]:
    pip, options = _pip(label), ["--disable-pip-version-check", "--no-input"]
    options += ["--retries", "1", "--timeout", "30"]
    what = package + (version and f"=={version}")
    only = ["--no-deps", "--only-binary=:all:", "-d", str(folder)]
    done = _run([*pip, "download", *options, *only, what], label)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode == 0 and len(wheels) == 1:
        return wheels[0], wheels[0].name.split("-")[1]
    said = done.stdout + done.stderr
    if _NO_ANSWER.search(said):
        raise InputError(f"{label}: {_SILENT}, and at: pip config list")
    if "No matching distribution" not in said:
        raise InputError(f"{label}: pip could not fetch it ({_last(done)})")
    listed = _run([*pip, "index", "versions", *options, package], label)
    if listed.returncode:
        raise InputError(f"{label}: PyPI has no such package")
    versions = re.findall(r"[^\s,]+", listed.stdout.partition("Available versions:")[2])
    if version not in ("", *versions):
        newest = f"; the newest is {versions[0]}" if versions else ""
        raise InputError(f"{label}: PyPI has no such version of it{newest}")
    wanted = version or (versions or [""])[0]
    return _source_archive(pip, package, wanted, folder, label), wanted


def _source_archive(
    pip: Sequence[str], package: str, version: str, folder: Path, label: str
) -> Path:
    """Download the source archive of a version from the index that pip is set up for."""
    page_url = f"{_index(pip, label).rstrip('/')}/{package}/"
    try:
        page = _content(page_url, _MOST_PAGE_BYTES).decode("utf-8")
        url = _source_url(page, page_url, f"{package}-{version}")
        if not url:
            what = "neither a wheel of it for this Python nor a .tar.gz"
            raise InputError(f"{label}: PyPI has {what}")
        content = _content(url, _MOST_ARCHIVE_BYTES)
    except InputError:
        raise
    except (OSError, ValueError, HTTPException) as error:
        raise InputError(f"{label}: {_SILENT}, and at: pip config list ({error})") from error
    kind, _, digest = urlsplit(url).fragment.partition("=")
    if kind == "sha256" and hashlib.sha256(content).hexdigest() != digest:
        raise InputError(f"{label}: what came is not what the index names by its SHA-256")
    archive = folder / f"{package}-{version}.tar.gz"
    archive.write_bytes(content)
    return archive


def _source_url(page: str, page_url: str, wanted: str) -> str:
    """Return where a project's page has the `.tar.gz` of NAME-VERSION, or nothing."""
    for link in re.findall(r"""<a\s[^>]*?href=["']([^"']+)""", page):
        url = urljoin(page_url, html.unescape(link))
        file = unquote(PurePosixPath(urlsplit(url).path).name)
        project, _, version = file.removesuffix(".tar.gz").rpartition("-")
        name = re.sub(r"[-_.]+", "-", project).lower()
        if file.endswith(".tar.gz") and f"{name}-{version}" == wanted:
            return url
    return ""


def _index(pip: Sequence[str], label: str) -> str:
    """Return the index that pip is set up for, or else its own default, which its help names."""
    listed = _run([*pip, "config", "list"], label).stdout
    told = dict(re.findall(r"^(\S+)\.index-url='(.*)'$", listed, re.MULTILINE))
    usual = re.search(r"\(default\s+(\S+)\)", _run([*pip, "help", "download"], label).stdout)
    own = told.get(":env:") or told.get("download") or told.get("global")
    return own or (usual[1] if usual else "")


def _content(url: str, most: int) -> bytes:
    """Return what a URL of an index gives.

    Raises:
        InputError: it is too much. OSError: it gives nothing.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"{url}: not an address that is fetched from")
    request = Request(url, headers={"Accept": "text/html"})
    with urlopen(request, timeout=60) as answer:
        content: bytes = answer.read(most + 1)
    if len(content) > most:
        raise InputError(f"{url}: more than {most >> 20} MiB; fetch it yourself")
    return content


def _pip(label: str) -> list[str]:
    """Return the words that call pip: this interpreter's, or else the one on the path."""
    if sys.executable and importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    found = shutil.which("pip") or shutil.which("pip3")
    if found is None:
        raise InputError(
            f"{label}: pip is not there to fetch it; install it with: python -m ensurepip, or give"
            " a tokenizer's file"
        )
    return [found]


def _run(words: Sequence[str], label: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words,
            env={**os.environ, "NO_COLOR": "1", "NO_UPDATE_NOTIFIER": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{label}: {_SILENT}") from error
    except OSError as error:
        raise InputError(f"{label}: {words[0]} cannot be run ({error.strerror})") from error


def _there(archive: Path, label: str) -> Path:
    if not archive.is_file():
        raise InputError(f"{label}: npm names an archive that it did not write ({archive.name})")
    return archive


def _last(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of an error that says something."""
    lines = [
        line for line in done.stderr.splitlines() if line.strip() and "complete log" not in line
    ]
    return _short(lines[-1] if lines else f"exit code {done.returncode}")


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "..."
