#!/bin/sh
# Makes a base for the Dockerfile where no registry can be reached: Debian by debootstrap, with Debian's own Python 3.11.
#   base.sh TAG [CONTAINERS…]     CONTAINERS: buildah and its options
# It differs from the official python:3.11-slim-bookworm in who built Python (3.11.2 with Debian's patches, in /usr instead
# of /usr/local) and in nothing that Mashang asks for.  What runs in production is built on the official image.
set -eu
tag=$1
shift
folder=$(mktemp -d "${TMPDIR:-/tmp}/mashang-base.XXXXXX")
trap 'rm -rf "$folder"' EXIT
{
    debootstrap --variant=minbase --include=ca-certificates,netbase,tzdata \
        bookworm "$folder/root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
    chroot "$folder/root" apt-get install --yes --no-install-recommends python3.11 python3.11-venv
} > "$folder/log" 2>&1 || { tail -n 20 "$folder/log" >&2; exit 1; }
ln -sf /usr/bin/python3.11 "$folder/root/usr/local/bin/python3"
chroot "$folder/root" apt-get clean
container=$("$@" from scratch)
"$@" add --quiet "$container" "$folder/root" / > /dev/null
"$@" config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd python3 "$container"
"$@" commit --quiet --rm "$container" "$tag" > /dev/null
