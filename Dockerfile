# One recipe for every image. Build arguments choose the image:
#   ROOM    the folder beside libs/ and protos/ that the image runs: gateway, services/agent, …, local (the tools)
#   GROUP   the lock of its dependencies: service, service-knowledge, or that with
#           -multilingual, -ocr or -multilingual-ocr behind it
#   WHEELS  a folder of wheels inside the build context; with it the build needs no network
# Targets: `runtime` holds code that its user cannot change; `dev` restarts the process when a file of /app changes.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS packages
ARG GROUP=service
ARG WHEELS=requirements
WORKDIR /build
RUN python3 -m venv /venv
COPY ${WHEELS}/ wheels/
COPY requirements/${GROUP}.txt lock.txt
RUN if ls wheels/*.whl >/dev/null 2>&1; then offline="--no-index --find-links wheels"; fi; \
    /venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes \
        --only-binary :all: $offline -r lock.txt && \
    /venv/bin/python -m pip uninstall --yes --quiet setuptools pip

FROM ${PYTHON_IMAGE} AS base
ARG ROOM
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin PYTHONPATH=/app:/app/protos PYTHONUNBUFFERED=1
WORKDIR /app
COPY --from=packages /venv /venv
COPY protos/ protos/
COPY libs/ libs/
COPY providers/ providers/
COPY suite/ suite/
COPY services/__init__.py services/__init__.py
COPY ${ROOM}/ ${ROOM}/

FROM base AS dev
# Live update writes into /app as the user of the process.
RUN chown -R 10001:10001 /app
ENV HOME=/tmp
USER 10001:10001
ENTRYPOINT ["python", "-m", "libs.runtime.reload"]

FROM base AS runtime
RUN python -m compileall -q /app
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
ENTRYPOINT ["python", "-m"]
