# An image for each program, with the program and nothing else: no shell, no libc, nobody's user, and nothing to write to.
#
#   docker build --target valkey-render --tag valkey-gitops/valkey-render:0.1.0 .
#   docker build --target valkey-render-fn --tag valkey-gitops/valkey-render-fn:0.1.0 .
#   docker build --target valkey-topology-agent --tag valkey-gitops/valkey-topology-agent:0.1.0 .
#
# For several architectures at once, each built on a machine of its own or emulated:
#
#   docker buildx build --platform linux/amd64,linux/arm64 --target valkey-render --tag … --push .
#
# VERSION and REVISION are for the labels; pass them with --build-arg.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
ENV RUSTFLAGS="-C target-feature=+crt-static -C relocation-model=static"
# Named, the target gets the flags and what runs while building does not: procedural macros cannot be static.
RUN host="$(rustc --print host-tuple)" \
 && cargo build --locked --release --target "$host" --package valkey-render \
 && cargo build --locked --profile small --target "$host" --package valkey-topology-agent \
 && mkdir /out \
 && cp "target/$host/release/valkey-render" "target/$host/small/valkey-topology-agent" /out/ \
 && ln -s valkey-render /out/valkey-render-fn \
 && echo 'nobody:x:65534:65534:nobody:/:' >/out/passwd

# What all images have.
FROM scratch AS image
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.source="https://github.com/valkey-gitops/valkey-gitops" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 65532:65532

FROM image AS valkey-render
LABEL org.opencontainers.image.title="valkey-render" \
      org.opencontainers.image.description="Renders a ValkeyCluster spec into plain Kubernetes YAML."
COPY --from=build /out/valkey-render /out/valkey-render-fn /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/valkey-render"]

# kustomize and kpt start a function by its entry point, and as the user `nobody`, whose number Docker looks up in the image.
FROM image AS valkey-render-fn
LABEL org.opencontainers.image.title="valkey-render-fn" \
      org.opencontainers.image.description="Renders ValkeyCluster specs as a function of kustomize and kpt."
COPY --from=build /out/passwd /etc/
COPY --from=build /out/valkey-render /out/valkey-render-fn /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/valkey-render-fn"]

FROM image AS valkey-topology-agent
LABEL org.opencontainers.image.title="valkey-topology-agent" \
      org.opencontainers.image.description="Looks after one Valkey cluster on Kubernetes."
COPY --from=build /out/valkey-topology-agent /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/valkey-topology-agent"]
