#!/bin/sh
# Builds the image: with docker where its engine answers, else with buildah, which needs neither engine nor privileges.
#   IMAGE (mashang:VERSION), EXTRAS (tracing), PYTHON_IMAGE, CA (a network's own certificates, used while building only),
#   BUILDER=buildah (where docker is there too)
set -eu
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
image=${IMAGE:-mashang:$version}
python=${PYTHON_IMAGE:-docker.io/library/python:3.11-slim-bookworm}
revision=$(git rev-parse HEAD 2> /dev/null || echo unknown)

set -- --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "EXTRAS=${EXTRAS-tracing}"
if [ -n "${CA:-}" ]; then set -- "$@" --secret "id=ca,src=$CA"; fi

if [ "${BUILDER:-docker}" = docker ] && docker version > /dev/null 2>&1; then
    exec docker build "$@" --build-arg "PYTHON_IMAGE=$python" --tag "$image" .
fi
command -v buildah > /dev/null || { echo "Building needs docker, or Debian's buildah: apt install buildah" >&2; exit 1; }
buildah="buildah --root ${CONTAINERS:-${TMPDIR:-/tmp}/mashang-containers}/store --runroot ${CONTAINERS:-${TMPDIR:-/tmp}/mashang-containers}/run"
buildah="$buildah --storage-driver ${STORAGE_DRIVER:-overlay}"
if ! $buildah pull --quiet "$python" > /dev/null 2>&1; then
    command -v debootstrap > /dev/null ||
        { echo "$python cannot be pulled; to build on plain Debian instead: apt install debootstrap" >&2; exit 1; }
    python=localhost/mashang-python:3.11-bookworm-debian
    echo "The registry cannot be reached: building on Debian's own Python 3.11 (docs/containers.md)" >&2
    $buildah inspect --type image "$python" > /dev/null 2>&1 || sh k8s/image/base.sh "$python" $buildah
fi
# docker's format: OCI's has no health check.
exec $buildah bud --isolation chroot --format docker --layers "$@" --build-arg "PYTHON_IMAGE=$python" --tag "$image" .
