//! Sharing and locking with and without `std`. Invariant: without `std` an engine stays on one thread, which
//! the types enforce (`RefCell` and `Rc` are not `Sync`).

/// Shared ownership: `Arc`, or `Rc` on targets without atomic read-modify-write operations.
#[cfg(target_has_atomic = "ptr")]
pub type Shared<T> = alloc::sync::Arc<T>;
/// Shared ownership: `Arc`, or `Rc` on targets without atomic read-modify-write operations.
#[cfg(not(target_has_atomic = "ptr"))]
pub type Shared<T> = alloc::rc::Rc<T>;

/// A value behind a lock.
#[derive(Default)]
pub(crate) struct Lock<T>(
    #[cfg(feature = "std")] std::sync::Mutex<T>,
    #[cfg(not(feature = "std"))] core::cell::RefCell<T>,
);

/// A value that is made when it is first asked for, once.
pub(crate) struct Lazy<T>(
    #[cfg(feature = "std")] std::sync::OnceLock<T>,
    #[cfg(not(feature = "std"))] core::cell::OnceCell<T>,
);

impl<T> Default for Lazy<T> {
    fn default() -> Lazy<T> {
        Lazy(Default::default())
    }
}

impl<T> From<T> for Lazy<T> {
    fn from(value: T) -> Lazy<T> {
        Lazy(value.into())
    }
}

impl<T> Lazy<T> {
    /// The value; `make` makes it when there is none.
    pub(crate) fn get(&self, make: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(make)
    }
}

impl<T> Lock<T> {
    /// A value behind a lock that nobody holds.
    pub(crate) const fn new(value: T) -> Lock<T> {
        #[cfg(feature = "std")]
        {
            Lock(std::sync::Mutex::new(value))
        }
        #[cfg(not(feature = "std"))]
        {
            Lock(core::cell::RefCell::new(value))
        }
    }

    /// The value, when nobody else can have it.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        #[cfg(feature = "std")]
        {
            self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
        #[cfg(not(feature = "std"))]
        {
            self.0.get_mut()
        }
    }

    /// Runs `f` on the value while nobody else does. `f` never locks again.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        #[cfg(feature = "std")]
        {
            f(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
        }
        #[cfg(not(feature = "std"))]
        {
            f(&mut self.0.borrow_mut())
        }
    }
}
