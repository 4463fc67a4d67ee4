# syntax=docker/dockerfile:1
# Two stages: what builds stays behind. The image runs as a user of its own and migrates nothing by itself.
FROM python:3.13-slim AS build
WORKDIR /app
RUN python -m venv /app/.venv
COPY requirements.lock ./
RUN /app/.venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY service ./service
COPY migrations ./migrations
RUN /app/.venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation -e . \
    && /app/.venv/bin/python -m compileall -q service migrations

FROM python:3.13-slim
RUN useradd --system --create-home --home-dir /home/clientbase clientbase
WORKDIR /app
COPY --from=build --chown=root:root /app /app
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 CLIENTBASE_STATE_DIR=/home/clientbase/state
USER clientbase
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["clientbase", "serve", "--host", "0.0.0.0", "--port", "8000"]
