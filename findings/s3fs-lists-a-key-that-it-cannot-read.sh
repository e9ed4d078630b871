#!/usr/bin/env bash
# s3fs: a key with "?versionId=" in it is listed, and can't be read by the name that the listing gives.
#
# Expected: what `ls` names can be opened, as with keys that hold "?", "#", "%" or "*". Versions are for file systems
# that were made with version_aware=True.
# Seen with s3fs 2026.9.0: the rest of the name is taken for the number of a version and dropped, whatever
# version_aware is. `info` and `cat_file` raise FileNotFoundError for the listed name, or find another object.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check 's3fs==2026.9.0' 'moto[server]==5.2.5'
export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=us-east-1
"$work/env/bin/python" - 2>/dev/null <<'PYTHON'
import boto3
import s3fs
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
endpoint = "http://{}:{}".format(*server.get_host_and_port())
client = boto3.client("s3", endpoint_url=endpoint)
client.create_bucket(Bucket="bucket")
for key in ("what?.jpg", "v?versionId=3.jpg"):
    client.put_object(Bucket="bucket", Key=key, Body=key.encode())
fs = s3fs.S3FileSystem(endpoint_url=endpoint)
print("s3fs", s3fs.__version__)
read = {}
for name in fs.ls("bucket", detail=False):
    try:
        read[name] = fs.cat_file(name)
    except FileNotFoundError as error:
        read[name] = type(error).__name__
    print("listed:", name, "read:", read[name])
server.stop()
raise SystemExit(read != {"bucket/v?versionId=3.jpg": "FileNotFoundError", "bucket/what?.jpg": b"what?.jpg"})
PYTHON
