//! Link flags of the plugin.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=token.map");
    // cryptsetup looks its functions up by name and version. rustc has a
    // version script of its own for what has `no_mangle`; see `src/ffi.rs`.
    println!("cargo::rustc-link-arg-cdylib=-Wl,--version-script={}/token.map", env!("CARGO_MANIFEST_DIR"));
    // Our std keeps a panic hook and thread-local destructors, whose code must
    // not go away under the host.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,nodelete");
    println!("cargo::rustc-link-arg-cdylib=-Wl,--strip-all");
}
