#!/bin/sh
# docker/build.sh cpu|cuda|rocm [tag]: builds an image that converts models; the tag is ait:latest unless given.
set -eu
cd "$(dirname "$0")/.."

usage() {
  echo "usage: docker/build.sh cpu|cuda|rocm [tag]" >&2
  exit 2
}

case "${1-}" in
  cpu | cuda | rocm) ;;
  *) usage ;;
esac
[ $# -le 2 ] || usage

# ENGINE=podman works as well.
engine=${ENGINE:-docker}
command -v "$engine" >/dev/null || {
  echo "docker/build.sh: $engine is not installed (https://docs.docker.com/engine/install/)" >&2
  exit 3
}
exec "$engine" build --file "docker/Dockerfile.$1" --tag "${2:-ait:latest}" .
