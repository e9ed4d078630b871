#!/usr/bin/env bash
# s3fs: with a key such as "a//b.jpg", the listing of "a" has a folder "a/" whose listing is that of "a" again.
#
# Expected: a walk by `ls` that goes into each folder comes to b.jpg, as `find` does, which gives "a//b.jpg".
# Seen with s3fs 2026.9.0: the slash at the end is dropped, so the folder without a name lists the one around it, for
# ever. b.jpg is in none of the listings. Who walks by `ls` has to leave out a folder with the name of its own.
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
for key in ("a//b.jpg", "a/c.jpg"):
    client.put_object(Bucket="bucket", Key=key, Body=b"x")
fs = s3fs.S3FileSystem(endpoint_url=endpoint, use_listings_cache=False)
outer = [(each["name"], each["type"]) for each in fs.ls("bucket/a", detail=True)]
inner = [(each["name"], each["type"]) for each in fs.ls("bucket/a/", detail=True)]
found = fs.find("bucket/a")
server.stop()
print("s3fs", s3fs.__version__)
print("ls bucket/a: ", outer)
print("ls bucket/a/:", inner)
print("find:        ", found)
expected = [("bucket/a/", "directory"), ("bucket/a/c.jpg", "file")]
raise SystemExit(not (outer == inner == expected and found == ["bucket/a//b.jpg", "bucket/a/c.jpg"]))
PYTHON
