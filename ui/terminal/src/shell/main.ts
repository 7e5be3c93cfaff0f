import { mount } from 'svelte'
import '../../../shared/tokens.css'
import './shell.css'
import './dim.css'
import App from './App.svelte'

mount(App, { target: document.getElementById('app')! })
