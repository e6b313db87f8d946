//! Runs every test of the suite once for each engine.

/// Makes a test for each engine of every named function. [`Store`](super::store::Store) must be in scope.
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                crate::plans::note();
                if let Some(store) = super::Store::sqlite().await { super::$name(store).await }
                crate::plans::check();
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if let Some(store) = super::Store::postgres().await { super::$name(store).await }
            })*
        }
    };
}
pub(crate) use on_both_engines;
