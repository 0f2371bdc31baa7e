"""Files fetched over HTTP: whole or not at all, resumed where they broke off, checked before they are kept."""

import fcntl
import hashlib
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BufferedRandom
from pathlib import Path

import httpx

from nightfold.errors import SourceError, SourceUnavailableError
from resources.sources.retry import AskLaterError, Patience, wait_asked_for

_CHECKSUM = re.compile(r"^([0-9a-fA-F]{64})(?:\s|$)")


@dataclass(frozen=True, slots=True)
class Downloader:
    """Fetches files into a folder where they then stay."""

    client: httpx.Client
    patience: Patience
    now: Callable[[], datetime]

    def zip_file(self, url: str, target: Path) -> Path | None:
        """Make sure that a zip file lies at ``target``; two processes may ask for it at once.

        Parameters
        ----------
        url
            Its address. ``url.CHECKSUM`` holds its SHA-256, if it exists.
        target
            Where to keep it. While it comes it is ``target.part``, which a later call takes up again.

        Returns
        -------
        Path or None
            ``target``, or None if there is no such file at the address (404).

        Raises
        ------
        SourceError
            If what came twice is not what the checksum says or no zip file, or if it cannot be written.
        SourceUnavailableError
            If the address does not answer after several attempts.
        """
        if target.exists():
            return target
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with _locked(target.with_name(f"{target.name}.part")) as part:
                if not target.exists() and self._complete(url, part):
                    Path(part.name).replace(target)
        except SourceError:
            raise
        except OSError as error:
            raise SourceError(f"{target} cannot be written: {error}. Make room, or move the cache folder.") from error
        return target if target.exists() else None

    def _complete(self, url: str, part: BufferedRandom) -> bool:
        """Make ``part`` the checked file; a fault may lie in an older half, so once all of it is fetched anew."""
        if not self.patience.ask(lambda: self._receive(url, part)):
            part.truncate(0)
            return False
        checksum = self._checksum(url)
        if _fault(part, checksum):
            part.truncate(0)
            self.patience.ask(lambda: self._receive(url, part))
        if fault := _fault(part, checksum):
            part.truncate(0)
            raise SourceError(f"{_public(url)} {fault} Nothing of it was kept; try later, or use another source.")
        part.flush()
        os.fsync(part.fileno())
        return True

    def _receive(self, url: str, part: BufferedRandom) -> bool:
        """Append what is missing to ``part``; False if there is no such file."""
        have = part.seek(0, os.SEEK_END)
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with _connection(url), self.client.stream("GET", url, headers=headers) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                return True  # nothing is missing, or all of it is wrong, which the check will tell
            if not self._is_there(response):
                return False
            if not _continues(response, have):
                part.truncate(0)
            for chunk in response.iter_raw():
                part.write(chunk)
        return True

    def _checksum(self, url: str) -> str | None:
        text = self.patience.ask(lambda: self._text(f"{url}.CHECKSUM"))
        if text is None:
            return None
        if not (found := _CHECKSUM.match(text)):
            raise SourceError(f"{_public(url)}.CHECKSUM holds {text[:60]!r}, not a SHA-256 and a name; try later.")
        return found.group(1).lower()

    def _text(self, url: str) -> str | None:
        with _connection(url):
            response = self.client.get(url)
        return response.text if self._is_there(response) else None

    def _is_there(self, response: httpx.Response) -> bool:
        """Tell found from not found; every other status is an error."""
        status, url = response.status_code, _public(str(response.url))
        if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise AskLaterError(
                f"{url} answered {status} {response.reason_phrase}.", wait_asked_for(response.headers, self.now())
            )
        if status == httpx.codes.NOT_FOUND:
            return False
        if not response.is_success:
            raise SourceError(f"{url} answered {status} {response.reason_phrase}; check `url` and who may read it.")
        return True


@contextmanager
def _connection(url: str) -> Iterator[None]:
    """Tell faults of the network, which may pass, from others."""
    try:
        yield
    except httpx.TransportError as error:
        raise SourceUnavailableError(f"{_public(url)}: the connection failed ({_words(error)}).") from error
    except httpx.RequestError as error:
        raise SourceError(f"{_public(url)} cannot be fetched ({_words(error)}); check `url`.") from error


@contextmanager
def _locked(path: Path) -> Iterator[BufferedRandom]:
    """Open a file to append to, alone; waits for another process that has it, and leaves no empty file."""
    while True:
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_at(file, path):
                continue  # whoever had it moved it away while we waited
            try:
                yield file
            finally:
                file.flush()
                if os.fstat(file.fileno()).st_size == 0 and _is_at(file, path):
                    path.unlink()
            return


def _is_at(file: BufferedRandom, path: Path) -> bool:
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())


def _continues(response: httpx.Response, have: int) -> bool:
    return response.status_code == httpx.codes.PARTIAL_CONTENT and response.headers.get("Content-Range", "").startswith(
        f"bytes {have}-"
    )


def _fault(part: BufferedRandom, checksum: str | None) -> str | None:
    """Say what is wrong with a file, or None."""
    part.flush()
    part.seek(0)
    if checksum is not None:
        found = hashlib.file_digest(part, "sha256").hexdigest()
        if found != checksum:
            return f"has SHA-256 {found}, but its CHECKSUM file says {checksum}."
    try:
        with zipfile.ZipFile(part) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        return f"is no zip file that can be read ({error})."
    return f"is broken: its member {broken} fails its own check." if broken else None


def _public(url: str) -> str:
    """Cut user, password and query out of an address, since they may hold secrets."""
    return re.sub(r"//[^/@]*@", "//", url.split("?")[0])


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
