mod desired;
mod id;
mod slots;
mod time;
mod view;
