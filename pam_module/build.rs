//! Link flags of the module.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // dlclose(3) leaves the module in place. Our std inside it keeps a panic
    // hook and thread-local destructors whose code must not go away under a
    // thread that ends later; and a host that authenticates again and again
    // doesn't pay for mapping and relocating it each time.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,nodelete");
    // The profile's `strip` leaves a symbol table that nobody reads.
    println!("cargo::rustc-link-arg-cdylib=-Wl,--strip-all");
}
