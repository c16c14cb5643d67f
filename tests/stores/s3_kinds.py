"""S3, and Alibaba OSS by S3's API and by its own, on moto."""

from __future__ import annotations

import functools
import re
from importlib import import_module
from typing import Any

from tests.stores import emulators
from tests.stores.front import Request, Response, Rule
from tests.stores.kinds import BUCKET, HttpKind, Variant

KEY, SECRET = "right-key", "right-secret"
#: The scope by which moto knows a service; it does not check signatures.
_AWS = f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


def error(status: int, code: str, message: str = "Said by the test.") -> Response:
    """Return an error as S3 and OSS tell it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message><EC>0</EC></Error>"
    return Response(status, body.encode(), {"Content-Type": "application/xml"})


class S3Kind(HttpKind):
    name = "S3"
    scheme = "s3"
    lock = emulators.S3_LOCK

    def emulator(self) -> int:
        client()
        return emulators.s3()

    def connection(self, variant: Variant, *rules: Rule) -> dict[str, Any]:
        extra = {"endpoint_url": f"http://127.0.0.1:{self.port(variant, *rules)}", "region_name": "us-east-1"}
        return {"conn_type": "aws", "login": login(variant), "password": SECRET, "extra": extra}

    def rules(self, variant: Variant) -> list[Rule]:
        return [check_key, *rights(variant)]

    def names(self, folder: str) -> list[str]:
        prefix = f"{self.key(folder)}/"
        found = client().list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return sorted(entry["Key"].removeprefix(prefix) for entry in found)

    def unfinished(self, folder: str) -> list[str]:
        found = client().list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return [entry["Key"] for entry in found if entry["Key"].startswith(f"{self.key(folder)}/")]

    def read(self, uri: str) -> tuple[bytes, str]:
        found = client().get_object(Bucket=BUCKET, Key=self.key(uri))
        return found["Body"].read(), found["ContentType"]


class OssByAwsKind(S3Kind):
    """OSS by the connection that users make first: of type aws, with what OSS wants in ``config_kwargs``."""

    name = "OSS, aws connection"
    config: dict[str, Any] = {  # noqa: RUF012
        "s3": {"addressing_style": "virtual"},
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }

    def connection(self, variant: Variant, *rules: Rule) -> dict[str, Any]:
        made = super().connection(variant, *rules)
        port = made["extra"]["endpoint_url"].rpartition(":")[2]
        made["extra"] = {
            "endpoint_url": f"http://oss-cn-test.localhost:{port}",
            "region_name": "cn-test",
            "config_kwargs": self.config,
        }
        return made

    def rules(self, variant: Variant) -> list[Rule]:
        return [refuse_path_style, refuse_trailers, to_path_style, check_key, *rights(variant)]


class OssKind(OssByAwsKind):
    """OSS by its own API, signed by version 4, and the file system that this provider registers."""

    name = "OSS, oss://"
    scheme = "oss"

    def connection(self, variant: Variant, *rules: Rule) -> dict[str, Any]:
        extra = {
            "auth_type": "AK",
            "access_key_id": login(variant),
            "access_key_secret": SECRET,
            "region": "cn-test",
            "endpoint": f"http://oss-cn-test.localhost:{self.port(variant, *rules)}",
        }
        return {"conn_type": "oss", "extra": extra}

    def rules(self, variant: Variant) -> list[Rule]:
        return [refuse_path_style, oss_to_s3, *rights(variant), bucket_info]

    def change(self, request: Request, answer: Response) -> Response:
        if answer.status == 412:
            return error(409, "FileAlreadyExists", "The object you specified already exists.")
        answer.body = re.sub(rb' xmlns="[^"]*"', b"", answer.body)
        if request.method != "HEAD":
            answer.headers.pop("Content-Length", None)
        return answer


@functools.cache
def client() -> Any:
    """Return a client of moto itself, where the bucket is made."""
    made = import_module("boto3").client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{emulators.s3()}",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
    )
    made.create_bucket(Bucket=BUCKET)
    return made


def login(variant: Variant) -> str:
    return "wrong-key" if variant == "wrong_credentials" else KEY


def check_key(request: Request) -> Response | None:
    return None if KEY in request.headers.get("authorization", "") else error(403, "InvalidAccessKeyId")


def rights(variant: Variant) -> list[Rule]:
    """Return the rules of a user who may not do everything; the target is in path style here."""

    def no_write(request: Request) -> Response | None:
        return error(403, "AccessDenied") if request.method not in ("GET", "HEAD") else None

    def write_only(request: Request) -> Response | None:
        return error(403, "AccessDenied") if request.method in ("GET", "HEAD") else None

    def no_list(request: Request) -> Response | None:
        """Without s3:ListBucket an absent key is forbidden as well."""
        if request.method not in ("GET", "HEAD"):
            return None
        key = request.path.lstrip("/").partition("/")[2]
        if not key:
            return error(403, "AccessDenied")
        there = client().list_objects_v2(Bucket=BUCKET, Prefix=key).get("Contents", [])
        return None if any(entry["Key"] == key for entry in there) else error(403, "AccessDenied")

    made: dict[str, list[Rule]] = {"no_write": [no_write], "write_only": [write_only], "no_list": [no_list]}
    return made.get(variant, [])


def refuse_path_style(request: Request) -> Response | None:
    if request.headers["host"].startswith("oss-"):
        return error(403, "SecondLevelDomainForbidden", "Please use virtual hosted style to access.")
    return None


def refuse_trailers(request: Request) -> Response | None:
    told = request.headers.get("content-encoding", ""), request.headers.get("x-amz-content-sha256", "")
    if "aws-chunked" in told[0] or told[1].startswith("STREAMING"):
        return error(400, "InvalidArgument", "aws-chunked encoding is not supported with the specified value.")
    return None


def to_path_style(request: Request) -> Response | None:
    """Change the request into one for moto. That OSS honours If-None-Match is nowhere said: here it does not."""
    bucket = request.headers["host"].partition(".")[0]
    request.headers["host"] = "127.0.0.1"
    request.target = f"/{bucket}{request.target}"
    request.headers.pop("if-none-match", None)
    return None


def oss_to_s3(request: Request) -> Response | None:
    """Change a request of OSS's own API into one for moto."""
    signature = request.headers.get("authorization", "")
    if not signature.startswith("OSS4-HMAC-SHA256"):
        return error(403, "AccessDenied", "Signature version 1 is not accepted for this account.")
    if KEY not in signature:
        return error(403, "InvalidAccessKeyId")
    is_exclusive = request.headers.get("x-oss-forbid-overwrite") == "true"
    to_path_style(request)
    for name in [name for name in request.headers if name.startswith("x-oss-")]:
        del request.headers[name]
    request.headers |= {"authorization": _AWS} | ({"if-none-match": "*"} if is_exclusive else {})
    return None


def bucket_info(request: Request) -> Response | None:
    """Response what moto does not know."""
    if "bucketInfo" not in request.query:
        return None
    if request.path.strip("/") != BUCKET:
        return error(404, "NoSuchBucket")
    body = f"<BucketInfo><Bucket><Name>{BUCKET}</Name></Bucket></BucketInfo>"
    return Response(200, body.encode(), {"Content-Type": "application/xml"})
