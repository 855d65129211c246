# syntax=docker/dockerfile:1
# Built in two stages: the first makes the wheel and its environment, the second holds nothing else.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /source
# The requirements change rarely, so they come first and their layer is kept.
COPY requirements/runtime.lock requirements/build.lock requirements/
RUN python -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r requirements/build.lock
RUN python -m venv /opt/waybill && /opt/waybill/bin/pip install --require-hashes -r requirements/runtime.lock
COPY pyproject.toml README.md ./
COPY worker worker
COPY connectors connectors
COPY settings settings
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist .
RUN /opt/waybill/bin/pip install --no-deps dist/*.whl && /opt/waybill/bin/waybill --help

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="waybill" \
      org.opencontainers.image.description="Syncs logistic.cloud deliveries and fires Isometric credit deliveries"
# A fixed number, so that a mounted state directory can be given to it.
RUN groupadd --gid 10001 waybill \
 && useradd --uid 10001 --gid waybill --no-create-home --home-dir /var/lib/waybill --shell /usr/sbin/nologin waybill \
 && install --directory --owner waybill --group waybill --mode 0700 /var/lib/waybill
COPY --from=build /opt/waybill /opt/waybill
ENV PATH=/opt/waybill/bin:$PATH PYTHONUNBUFFERED=1 WAYBILL_STATE_DIR=/var/lib/waybill
USER waybill
WORKDIR /var/lib/waybill
VOLUME /var/lib/waybill
EXPOSE 8470
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8470/healthz', timeout=4)"]
ENTRYPOINT ["waybill"]
CMD ["run"]
