/* Stands in for the header that wasi-libc does not have; host.h replaces every use. */
