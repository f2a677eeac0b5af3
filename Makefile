# oathgate: `make demo` shows it, `make test` checks everything.

PREFIX  ?= /usr
DESTDIR ?=
CARGO   ?= cargo
PAMDIR  ?= $(PREFIX)/lib/$(shell gcc -print-multiarch 2>/dev/null)/security

PROGRAMS = -p otp_service -p pam_module -p ssh_otp -p tools
OUT      = $(or $(CARGO_TARGET_DIR),target)/release

.PHONY: help demo test check bench build install clean

help:
	@echo "make demo      a guided tour with a real sshd and ssh, on loopback"
	@echo "make test      every test, from a clean clone"
	@echo "make bench     how fast it is, beside other modules (BENCH=--quick: a short look)"
	@echo "make check     formatting, lints, documentation"
	@echo "make install   the programs below PREFIX=$(PREFIX), as root"

build:
	@sh pkg/dependencies.sh build
	$(CARGO) build --locked --release $(PROGRAMS)

demo:
	@sh pkg/dependencies.sh demo
	@$(CARGO) build --locked --release $(PROGRAMS)
	@$(CARGO) build --locked --release -p oathgate_tests --bin demo
	@$(OUT)/demo

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --quiet

test:
	@sh pkg/dependencies.sh test
	$(MAKE) check
	$(CARGO) build --locked --release $(PROGRAMS)
	$(CARGO) build --locked --workspace --bins
	$(CARGO) test --locked --workspace --no-fail-fast

bench:
	@sh pkg/dependencies.sh bench
	@$(CARGO) build --locked --release $(PROGRAMS)
	@$(CARGO) build --locked --release -p oathgate_tests --bin bench
	@$(OUT)/bench $(BENCH)

install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/oathgate $(DESTDIR)$(PAMDIR) \
	    $(DESTDIR)/usr/lib/systemd/system $(DESTDIR)/usr/lib/sysusers.d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 0755 $(OUT)/oathgate $(OUT)/ssh-otp $(DESTDIR)$(PREFIX)/bin
	install -m 0755 $(OUT)/oathgated $(DESTDIR)$(PREFIX)/libexec/oathgate
	install -m 0644 $(OUT)/libpam_oathgate.so $(DESTDIR)$(PAMDIR)/pam_oathgate.so
	install -m 0644 pkg/systemd/*.service pkg/systemd/*.socket $(DESTDIR)/usr/lib/systemd/system
	install -m 0644 pkg/sysusers.d/oathgate.conf $(DESTDIR)/usr/lib/sysusers.d
	$(OUT)/oathgate man $(DESTDIR)$(PREFIX)/share/man/man1
	@echo "Installed. Next: the README, from \"Install\" on."

clean:
	$(CARGO) clean
