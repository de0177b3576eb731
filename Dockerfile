# Pantau's one image: ingest, alerts and status are the same program with another --only.
# What is installed stands in requirements/base.lock and package-lock.json, with hashes.

FROM node:24-slim AS pages
WORKDIR /src
COPY package.json package-lock.json ./
COPY tools/npm tools/vendor_js tools/
RUN tools/vendor_js

FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/pantau
COPY requirements/base.lock requirements/
RUN /opt/pantau/bin/pip install --no-cache-dir --require-hashes --requirement requirements/base.lock
COPY pyproject.toml LICENSE ./
COPY pantau pantau
COPY ingest ingest
COPY models models
COPY alerts alerts
COPY status status
COPY simulators simulators
COPY app app
COPY --from=pages /src/status/pages/static/vendor status/pages/static/vendor
RUN /opt/pantau/bin/pip install --no-cache-dir --no-index --no-deps --no-build-isolation .

FROM python:3.11-slim
COPY --from=build /opt/pantau /opt/pantau
COPY cities /srv/pantau/cities
# A user of its own, whose data folder is his: a named volume takes the rights from here.
RUN useradd --system --uid 10001 --no-create-home pantau && install -d -o pantau /srv/pantau/data
ENV PATH=/opt/pantau/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER pantau
WORKDIR /srv/pantau
EXPOSE 8000
CMD ["pantau", "run"]
