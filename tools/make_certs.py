"""Makes a private certificate authority and what it signs, for an installation that has no authority of its own.

    .venv/bin/python tools/make_certs.py certs --server broker.kota.example --server 10.0.0.5
    .venv/bin/python tools/make_certs.py certs --client pantau --client katulampa-3f9a2c

Nothing is overwritten: to renew a certificate, move the old one away and run it again. Keep ``ca.key`` off the server;
who has it can be anybody. Devices get ``ca.crt``, and their own pair when they show certificates.
"""

import argparse
import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Authority", "Pair"]

CA_DAYS = 3650
DAYS = 825
"""The longest that some TLS libraries believe a server."""


class Pair:
    """A certificate and its key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self.key = key

    def write(self, folder: Path, name: str) -> None:
        """Write ``name.crt`` and ``name.key``, the key readable by its owner alone.

        Raises:
            FileExistsError: one of them is there.
        """
        secret = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        for suffix, content, mode in (
            ("key", secret, 0o600),
            ("crt", self.certificate.public_bytes(serialization.Encoding.PEM), 0o644),
        ):
            with os.fdopen(
                os.open(folder / f"{name}.{suffix}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb"
            ) as file:
                file.write(content)


class Authority(Pair):
    """What signs the others."""

    @classmethod
    def new(cls, name: str = "Pantau private authority", *, days: int = CA_DAYS) -> "Authority":
        """A new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _named(name)
        builder = _builder(subject, subject, key, days).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        return cls(builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()), key)

    @classmethod
    def read(cls, folder: Path) -> "Authority":
        """The one whose ``ca.crt`` and ``ca.key`` are in a folder."""
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise SystemExit(f"{folder / 'ca.key'}: expected an elliptic-curve key, as this tool makes it")
        return cls(x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes()), key)

    def server(self, names: Sequence[str], *, days: int = DAYS) -> Pair:
        """A server's certificate for these host names and addresses; ``days`` below 0: expired that long ago."""
        alternative = x509.SubjectAlternativeName([_general(name) for name in names])
        return self._sign(names[0], ExtendedKeyUsageOID.SERVER_AUTH, days, alternative)

    def client(self, name: str, *, days: int = DAYS) -> Pair:
        """A client's certificate; its common name is the broker's user name."""
        return self._sign(name, ExtendedKeyUsageOID.CLIENT_AUTH, days, None)

    def _sign(
        self, name: str, use: x509.ObjectIdentifier, days: int, names: x509.SubjectAlternativeName | None
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(name), self.certificate.subject, key, days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return Pair(builder.sign(self.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=max(0, -days) + 1))  # a day back: clocks of devices are off
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where they are and go; keep it out of git")
    parser.add_argument("--server", action="append", default=[], help="a name or address of the broker")
    parser.add_argument(
        "--client", action="append", default=[], help="user name of one who shows a certificate"
    )
    parser.add_argument("--days", type=int, default=DAYS, help="how long they are valid")
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / "ca.crt").exists():
        Authority.new().write(folder, "ca")
    authority = Authority.read(folder)
    try:
        if options.server:
            authority.server(options.server, days=options.days).write(folder, "server")
        for name in options.client:
            authority.client(name, days=options.days).write(folder, name)
    except FileExistsError as error:
        raise SystemExit(f"{error.filename} is there already: move it away to renew it") from None
    print(f"certificates are in {folder}/; ca.crt goes to devices and Pantau, ca.key to nobody")


if __name__ == "__main__":
    main()
