# onnx2plan from its wheel: no Rust, no compiler, no CUDA in the image.
#
#     .ci/wheel release
#     docker build -t onnx2plan .
#     docker run --rm -v "$PWD:/models" onnx2plan model.onnx
#
# A GPU is used where the container has one (--gpus all). TensorRT-RTX, which is NVIDIA's, is not in
# the image: the first conversion fetches it into the volume of the cache.
FROM python:3.12-slim

COPY target/wheel-release/onnx2plan-*.whl /tmp/
RUN pip install --no-cache-dir /tmp/onnx2plan-*.whl && rm /tmp/onnx2plan-*.whl \
    && useradd --create-home onnx2plan \
    && install -d -o onnx2plan /cache /models

USER onnx2plan
ENV ONNX2PLAN_CACHE=/cache
VOLUME /cache
WORKDIR /models
ENTRYPOINT ["onnx2plan"]
CMD ["--help"]
