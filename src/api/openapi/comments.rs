//! The protos' comments, which are the document's descriptions.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost_reflect::{EnumDescriptor, FieldDescriptor, FileDescriptor, MessageDescriptor};
use prost_reflect::{MethodDescriptor, ServiceDescriptor};

use crate::pb::DESCRIPTORS;

/// Texts by file and by the path that `SourceCodeInfo` calls a place in a file by.
static COMMENTS: LazyLock<HashMap<(String, Vec<i32>), String>> = LazyLock::new(|| {
    let mut comments = HashMap::new();
    for file in DESCRIPTORS.files() {
        let info = file.file_descriptor_proto().source_code_info.as_ref();
        for location in info.iter().flat_map(|info| &info.location) {
            let text = location.leading_comments.as_deref().map(tidy).unwrap_or_default();
            if !text.is_empty() {
                comments.insert((file.name().to_owned(), location.path.clone()), text);
            }
        }
    }
    comments
});

/// What has a comment of its own.
pub trait Commented {
    /// Where it stands.
    fn place(&self) -> (FileDescriptor, &[i32]);

    /// Its comment, as Markdown; empty where it has none.
    fn comment(&self) -> &'static str {
        let (file, path) = self.place();
        COMMENTS.get(&(file.name().to_owned(), path.to_vec())).map_or("", String::as_str)
    }
}

macro_rules! commented {
    ($($type:ty),*) => { $(
        impl Commented for $type {
            fn place(&self) -> (FileDescriptor, &[i32]) {
                (self.parent_file(), self.path())
            }
        }
    )* };
}

commented!(MessageDescriptor, EnumDescriptor, FieldDescriptor, ServiceDescriptor, MethodDescriptor);

/// Lines of one paragraph joined, paragraphs apart.
fn tidy(comment: &str) -> String {
    let lines = comment.lines().map(str::trim).collect::<Vec<_>>();
    let paragraphs = lines.split(|line| line.is_empty()).filter(|lines| !lines.is_empty());
    paragraphs.map(|lines| lines.join(" ")).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_stay_apart_and_lines_do_not() {
        assert_eq!(tidy(" One\n two.\n\n Three.\n"), "One two.\n\nThree.");
    }
}
