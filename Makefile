# oathgate: `make demo` shows it, `make test` checks everything.

PREFIX  ?= /usr
DESTDIR ?=
CARGO   ?= cargo
MANDIR  ?= $(PREFIX)/share/man
# libpam looks nowhere else, whatever PREFIX says
PAMDIR  ?= /usr/lib/$(shell gcc -print-multiarch 2>/dev/null)/security

# where a module with verifier=spawn finds the verifier, if it isn't below /usr
SPAWN    = $(if $(filter-out /usr,$(PREFIX)),OATHGATED=$(PREFIX)/libexec/oathgate/oathgated)
# what needs libcryptsetup
LUKS     = -p luks_plugin -p luks_helper
PROGRAMS = -p otp_service -p otp_import -p pam_module -p ssh_otp -p tools -p luks_key_service $(LUKS)
OUT      = $(or $(CARGO_TARGET_DIR),target)/release
VM       = $(or $(CARGO_TARGET_DIR),target)/vm
COMPLETIONS = bash-completion/completions zsh/vendor-completions fish/vendor_completions.d

# The tarball for people without root.
STATIC_PROFILE ?= release
STATIC_TARGET  ?= $(shell rustc -vV | sed -n 's/^host: //p')
STATIC_FOLDER   = $(or $(CARGO_TARGET_DIR),target)/static
STATIC_OUT      = $(STATIC_FOLDER)/$(STATIC_TARGET)/$(patsubst dev,debug,$(STATIC_PROFILE))
STATIC_PROGRAMS = oathgate ssh-otp oathgated oathgate-import
TARBALL        ?= $(STATIC_FOLDER)/oathgate.tar.gz

# crypttab(5) names the keyscript there, and the initramfs's hook looks nowhere else, whatever PREFIX says
BOOTDIR  = /usr/libexec/oathgate
# cryptsetup looks nowhere else, whatever PREFIX says
LUKSDIR ?= /usr/lib/$(shell gcc -print-multiarch 2>/dev/null)/cryptsetup
PLUGIN   = libcryptsetup-token-oathgate.so
# What a linker other than cargo's has to be told of the plugin; after it, the archive.
PLUGIN_LINK = -shared -Wl,--version-script=luks_unlock/plugin/token.map,--gc-sections,--as-needed,--strip-all \
    -Wl,-z,now,-z,nodelete \
    $(addprefix -Wl$(comma)-u$(comma)cryptsetup_token_,buffer_free dump open open_pin validate version)
comma := ,

.PHONY: help demo test test-vm check bench fuzz miri soak build static token-plugin install clean

help:
	@echo "make demo      a guided tour with a real sshd and ssh, on loopback"
	@echo "make test      every test, from a clean clone"
	@echo "make test-vm   real units and disks in a virtual machine (SCENARIO=units: one; --shell: look around)"
	@echo "make bench     how fast it is, beside other modules (BENCH=--quick: a short look)"
	@echo "make check     formatting, lints, documentation"
	@echo "make fuzz      fuzz targets, FUZZ_SECONDS=20 each, two at a time; other inputs each time"
	@echo "make miri      undefined behaviour in the decision and below it (nightly: CARGO=\"cargo +nightly\")"
	@echo "make soak      races and faults for SOAK_MINUTES=60, then FUZZ_SECONDS=600 each target"
	@echo "make static    one tarball of static programs, for people without root"
	@echo "make install   what was built, below PREFIX=$(PREFIX), as root"

build:
	@sh pkg/dependencies.sh build
	$(SPAWN) $(CARGO) build --locked --release $(PROGRAMS)

# Without the module and what stands on libcryptsetup: libraries that other programs load, or that are
# not there as archives, can't be static. The
# flags are not for build scripts, hence a target and a folder of its own.
static:
	@sh pkg/dependencies.sh build
	RUSTFLAGS="-C target-feature=+crt-static" $(CARGO) build --locked --profile $(STATIC_PROFILE) \
	    --target $(STATIC_TARGET) --target-dir $(STATIC_FOLDER) $(subst -p pam_module,,$(subst $(LUKS),,$(PROGRAMS)))
	@for program in $(STATIC_PROGRAMS); do \
	    if readelf -lW $(STATIC_OUT)/$$program | grep -q INTERP; then echo "error: $$program is not static" >&2; exit 1; fi; done
	rm -rf $(STATIC_FOLDER)/tree
	install -D -m 0755 -t $(STATIC_FOLDER)/tree/bin $(addprefix $(STATIC_OUT)/,$(STATIC_PROGRAMS))
	install -D -m 0644 -t $(STATIC_FOLDER)/tree/share/man/man1 docs/man/*.1
	umask 022; $(STATIC_OUT)/oathgate man $(STATIC_FOLDER)/tree/share/man/man1
	install -D -m 0644 -t $(STATIC_FOLDER)/tree/share/doc/oathgate README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE
	tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -czf $(TARBALL) -C $(STATIC_FOLDER)/tree bin share
	@echo "$(TARBALL): tar -C ~/.local -xzf it, then the README, from \"Without root\" on."

# The plugin by the system's own linker, for distributions; `make build` needs cargo's.
token-plugin:
	@sh pkg/dependencies.sh build
	$(CARGO) build --locked --release -p luks_plugin
	$(CC) $(PLUGIN_LINK) -o $(OUT)/$(PLUGIN) $(OUT)/liboathgate_token.a -lcryptsetup -lgcc_s -lc

demo:
	@sh pkg/dependencies.sh demo
	@$(CARGO) build --locked --release $(PROGRAMS)
	@$(CARGO) build --locked --release -p oathgate_tests --bin demo
	@$(OUT)/demo

check:
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --quiet

test:
	@sh pkg/dependencies.sh test
	$(MAKE) check
	$(CARGO) build --locked --release $(PROGRAMS)
	$(CARGO) build --locked $(PROGRAMS)
	sh tests/in_memory.sh $(CARGO) test --locked --workspace --no-fail-fast
	FUZZ_SEED=1 FUZZ_SECONDS=10 $(MAKE) fuzz

# Other flags than everything else, hence a workspace of its own.
fuzz:
	@sh pkg/dependencies.sh fuzz
	@CARGO="$(CARGO)" fuzz/run.sh

# Miri is a part of nightly toolchains only. The tests read vectors from files, hence without isolation.
miri:
	@$(CARGO) miri --version >/dev/null 2>&1 || { echo "error: this toolchain has no miri" >&2; \
	    echo "hint: rustup toolchain install nightly --component miri,rust-src; make miri CARGO=\"cargo +nightly\"" >&2; exit 1; }
	MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-strict-provenance" $(CARGO) miri test --locked -p otp_core

soak:
	@sh pkg/dependencies.sh test
	@$(CARGO) build --locked --release $(PROGRAMS)
	@$(CARGO) build --locked $(PROGRAMS)
	@CARGO="$(CARGO)" tests/soak.sh

# Everything is unpacked by the guest itself, so only its image needs root, once.
test-vm:
	@sh pkg/dependencies.sh vm
	@$(CARGO) build --locked --release $(PROGRAMS)
	@$(CARGO) build --locked --release -p oathgate_tests --bin vm
	@tests/vm/image.sh $(VM)
	@rm -rf $(VM)/payload
	@umask 022; $(MAKE) --silent install PREFIX=/usr DESTDIR=$(VM)/payload >/dev/null
	@install -m 0755 $(OUT)/vm $(VM)/payload/usr/libexec/vm
	@tar -c --owner=0 --group=0 --numeric-owner -f $(VM)/payload.tar -C $(VM)/payload usr
	@$(OUT)/vm $(VM) $(SCENARIO)

bench:
	@sh pkg/dependencies.sh bench
	@$(CARGO) build --locked --release $(PROGRAMS)
	@$(CARGO) build --locked --release -p oathgate_shim
	@$(CARGO) build --locked --release -p oathgate_tests --bin bench
	@$(OUT)/bench $(BENCH)

# Installs what `make build` made and builds nothing: root may have no cargo.
install:
	@test -x $(OUT)/oathgate || { echo "error: nothing is built yet" >&2; echo "hint: make build" >&2; exit 1; }
	install -D -m 0755 -t $(DESTDIR)$(PREFIX)/bin $(OUT)/oathgate $(OUT)/ssh-otp
	install -D -m 0755 -t $(DESTDIR)$(PREFIX)/libexec/oathgate $(OUT)/oathgated $(OUT)/oathgate-import $(OUT)/oathgate-keys \
	    $(OUT)/oathgate-luks $(OUT)/oathgate-disk-key
	install -D -m 0755 -t $(DESTDIR)$(BOOTDIR) pkg/initramfs-tools/luks-keyscript $(OUT)/oathgate-luks
	install -D -m 0755 pkg/initramfs-tools/hook $(DESTDIR)/usr/share/initramfs-tools/hooks/oathgate
	install -D -m 0644 $(OUT)/libpam_oathgate.so $(DESTDIR)$(PAMDIR)/pam_oathgate.so
	install -D -m 0644 $(OUT)/liboathgate_token.so $(DESTDIR)$(LUKSDIR)/$(PLUGIN)
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/system pkg/systemd/*.service pkg/systemd/*.socket
	sed -i 's|/usr/libexec/|$(PREFIX)/libexec/|' $(DESTDIR)/usr/lib/systemd/system/oathgated.service \
	    $(DESTDIR)/usr/lib/systemd/system/oathgate-disk-key@.service
	sed -i 's|/usr/bin/|$(PREFIX)/bin/|' $(DESTDIR)/usr/lib/systemd/system/oathgate-trial.service
	install -d $(DESTDIR)/usr/lib/systemd/system/multi-user.target.wants
	ln -sf ../oathgate-trial.service $(DESTDIR)/usr/lib/systemd/system/multi-user.target.wants/
	install -D -m 0644 -t $(DESTDIR)/usr/lib/sysusers.d pkg/sysusers.d/oathgate.conf
	install -D -m 0644 -t $(DESTDIR)$(MANDIR)/man1 docs/man/*.1
	install -D -m 0644 -t $(DESTDIR)$(MANDIR)/man5 docs/man/*.5
	install -D -m 0644 -t $(DESTDIR)$(MANDIR)/man7 docs/man/*.7
	install -D -m 0644 -t $(DESTDIR)$(MANDIR)/man8 docs/man/*.8
	umask 022; $(OUT)/oathgate man $(DESTDIR)$(MANDIR)/man1
	install -d $(addprefix $(DESTDIR)$(PREFIX)/share/,$(COMPLETIONS))
	umask 022; $(OUT)/oathgate completions bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/oathgate
	umask 022; $(OUT)/oathgate completions zsh >$(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_oathgate
	umask 022; $(OUT)/oathgate completions fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/oathgate.fish
	@echo "Installed. Next: the README, from \"Install\" on."

clean:
	$(CARGO) clean
	$(CARGO) clean --manifest-path fuzz/Cargo.toml
