import { mount } from 'svelte'
import '../../../shared/tokens.css'
import './shell.css'
import './dim.css'
import App from './App.svelte'
import { reload, styled } from './styles.ts'

void styled([...document.querySelectorAll<HTMLLinkElement>('link[rel=stylesheet]')], reload).then(() => mount(App, { target: document.getElementById('app')! }))
