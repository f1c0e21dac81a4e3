# The static binary on an empty image: no shell, no user database, nothing else to patch.
#
#   docker build -t leasehold .
#   docker buildx build --platform linux/amd64,linux/arm64 -t leasehold .
#
# With the secret managers of the clouds:
#
#   docker build --build-arg FEATURES=clouds -t leasehold:clouds .

FROM rust:1.95-bookworm AS build
ARG TARGETARCH
ARG FEATURES=
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY crates crates
COPY vendor vendor
COPY scripts/no-unwind-tables.ld scripts/
# Not built, but named in Cargo.toml, which is not read without it.
COPY benches benches
# Builders without BuildKit do not say for which machine, and build for their own.
RUN case "${TARGETARCH:-$(dpkg --print-architecture)}" in \
        amd64) target=x86_64-unknown-linux-gnu ;; \
        arm64) target=aarch64-unknown-linux-gnu ;; \
        *) echo "no build for $TARGETARCH" >&2; exit 1 ;; \
    esac \
    && RUSTFLAGS='-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs,--no-eh-frame-hdr,-T,scripts/no-unwind-tables.ld' cargo build --release --locked --package leasehold --features "$FEATURES" --target "$target" \
    && install -D "target/$target/release/leasehold" /image/usr/local/bin/leasehold

FROM scratch
COPY --from=build /image /
# A number, so that runAsNonRoot can be checked without a user database.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/leasehold"]
