"""Clips and a signing key for the tests of labels."""

from __future__ import annotations

import datetime
from pathlib import Path

import av
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from airflow_provider_siliconflow.label.credentials import SigningKey
from airflow_provider_siliconflow.sandbox.render import Scene, render


@pytest.fixture(scope="session")
def clip_bytes() -> bytes:
    return render(Scene("a red fox", "720x1280", 1, frames=40))


@pytest.fixture
def clip(tmp_path: Path, clip_bytes: bytes) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip_bytes)
    return path


def _certificate(subject: str, issuer: str, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    def name(common: str) -> x509.Name:
        return x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Studio"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
        )

    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
    )


def _usage(*, signs: bool, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(signs, False, False, False, False, is_authority, is_authority, False, False)


@pytest.fixture(scope="session")
def signing_key() -> SigningKey:
    """Return a key whose certificate an authority of these tests has signed: valid, and trusted by nobody."""
    root, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = (
        _certificate("Root", "Root", root.public_key())
        .add_extension(x509.BasicConstraints(True, None), True)
        .add_extension(_usage(signs=True, is_authority=True), True)
        .sign(root, hashes.SHA256())
    )
    own = (
        _certificate("Signer", "Root", leaf.public_key())
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(_usage(signs=True, is_authority=False), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), False)
        .sign(root, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key = leaf.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return SigningKey((own.public_bytes(pem) + authority.public_bytes(pem)).decode(), key.decode())


@pytest.fixture
def clip_with_sound(tmp_path: Path, clip: Path) -> Path:
    """Return the clip with a second of silence."""
    path = tmp_path / "sound.mp4"
    with av.open(str(clip)) as given, av.open(str(path), "w", format="mp4") as made:
        video = made.add_stream_from_template(given.streams.video[0])
        sound = made.add_stream("aac", rate=44100)
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                made.mux(packet)
        for number in range(43):
            frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate, frame.pts = 44100, number * 1024
            made.mux(sound.encode(frame))
        made.mux(sound.encode(None))
    return path


def _font(path: Path, characters: str) -> Path:
    """Write a font in which each character is a plate as high as the letters."""
    names = [".notdef", *(f"sign{number}" for number in range(len(characters)))]
    pen = TTGlyphPen(None)
    pen.moveTo((50, 0))
    for point in ((50, 700), (650, 700), (650, 0)):
        pen.lineTo(point)
    pen.closePath()
    builder = FontBuilder(1000)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(sign): name for sign, name in zip(characters, names[1:], strict=True)})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (700, 50)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Plates", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(str(path))
    return path


@pytest.fixture(scope="session")
def latin_font(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(_font(tmp_path_factory.mktemp("fonts") / "latin.ttf", "AIW"))


@pytest.fixture(scope="session")
def chinese_font(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(_font(tmp_path_factory.mktemp("fonts") / "chinese.ttf", "AI生成"))
