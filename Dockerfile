# The app with the CPU build of PyTorch; docs/operating.md says how it is run.
ARG PYTHON=python:3.11-slim-trixie

FROM ${PYTHON} AS build
WORKDIR /build
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip \
    sed /--editable/d requirements.txt > needed.txt && \
    python -m pip --python /opt/venv/bin/python install --requirement needed.txt
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip --python /opt/venv/bin/python install ".[metrics,cluster]"

FROM ${PYTHON}
RUN python -m pip uninstall --yes pip setuptools wheel && \
    useradd --uid 10001 --user-group --no-create-home --home-dir /cache explorer && \
    install --directory --owner explorer --group explorer /cache
COPY --from=build /opt/venv /opt/venv
# Nothing is written but in /cache, where downloaded data sets lie, and in /tmp. With an address to print, Streamlit does
# not ask a server elsewhere for it.
ENV PATH=/opt/venv/bin:$PATH HOME=/cache XDG_CACHE_HOME=/cache PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    STREAMLIT_SERVER_HEADLESS=true STREAMLIT_SERVER_PORT=8501 STREAMLIT_SERVER_BASE_URL_PATH="" \
    STREAMLIT_BROWSER_SERVER_ADDRESS=localhost STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE=true
USER 10001
WORKDIR /cache
VOLUME /cache
EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-c", "import os, urllib.request; \
urllib.request.urlopen('http://127.0.0.1:8501' + os.environ['STREAMLIT_SERVER_BASE_URL_PATH'] + '/_stcore/health')"]
ENTRYPOINT ["diffusion-explorer"]
