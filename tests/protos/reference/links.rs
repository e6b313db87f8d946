//! Turns the names of methods, messages and enums into links.

use prost_reflect::{EnumDescriptor, MessageDescriptor, MethodDescriptor};

/// What a name can link to.
pub struct Targets {
    pub methods: Vec<MethodDescriptor>,
    pub messages: Vec<MessageDescriptor>,
    pub enums: Vec<EnumDescriptor>,
}

impl Targets {
    /// Returns the link of a name, if there is something of that name.
    pub fn of(&self, name: &str) -> Option<String> {
        let anchor = name.to_lowercase();
        if self.messages.iter().any(|message| message.name() == name) {
            return Some(format!("[{name}](messages.md#{anchor})"));
        }
        if self.enums.iter().any(|known| known.name() == name) {
            return Some(format!("[{name}](enums.md#{anchor})"));
        }
        // The request of a method is described with the method.
        let method = self
            .methods
            .iter()
            .find(|method| [method.name(), method.input().name(), method.output().name()].contains(&name))?;
        Some(format!("[{name}]({}#{})", page_of(method), method.name().to_lowercase()))
    }

    /// Links the names in a comment that cannot be ordinary words: those with a capital inside.
    pub fn within(&self, comment: &str) -> String {
        let mut text = String::with_capacity(comment.len());
        // Every second part is code.
        for (index, part) in comment.split('`').enumerate() {
            if index > 0 {
                text.push('`');
            }
            match index % 2 {
                0 => text.push_str(&self.words(part)),
                _ => text.push_str(part),
            }
        }
        text
    }

    fn words(&self, prose: &str) -> String {
        let mut text = String::with_capacity(prose.len());
        let mut word = String::new();
        for letter in prose.chars().chain(std::iter::once('\0')) {
            if letter.is_ascii_alphanumeric() {
                word.push(letter);
                continue;
            }
            let is_name = word.chars().skip(1).any(|letter| letter.is_ascii_uppercase());
            text.push_str(&is_name.then(|| self.of(&word)).flatten().unwrap_or_else(|| word.clone()));
            word.clear();
            text.extend((letter != '\0').then_some(letter));
        }
        text
    }
}

/// Returns the page of a method's service.
pub fn page_of(method: &MethodDescriptor) -> String {
    let service = method.parent_service().name().trim_end_matches("Service").to_lowercase();
    format!("{service}-service.md")
}
